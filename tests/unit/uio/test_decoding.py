"""What opening a function turns on, and that a function which was bound on purpose stays bound whatever happens to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.uio.fake import RNG, FakeMachine
from uvirtio.bus.uio import UIO_DRIVER, bind, open_uio, pending, restore
from uvirtio.bus.uio.journal import Journal
from uvirtio.spec.pci import Command, Header


def without_ports(machine: FakeMachine) -> None:
    resource = machine.function(RNG) / "resource"
    resource.write_text("\n".join([" ".join(["0x0"] * 3), *resource.read_text().splitlines()[1:]]) + "\n")


@pytest.mark.parametrize("ports", [True, False])
def test_ports_are_decoded_where_any_bar_has_some(machine: FakeMachine, run: Path, ports: bool) -> None:
    if not ports:
        without_ports(machine)
    machine.poke(RNG, Header.COMMAND, 2, 0)
    with open_uio(RNG, sysfs=machine, run=run):
        assert machine.command() == Command.MEMORY | (Command.IO if ports else 0)
    assert machine.command() == 0


def test_a_function_bound_on_purpose_that_lost_its_driver_is_still_bound_on_purpose(
    machine: FakeMachine, run: Path
) -> None:
    bind(RNG, sysfs=machine, run=run)
    machine._unbind(RNG)
    with open_uio(RNG, sysfs=machine, run=run):
        assert machine.driver(RNG) == UIO_DRIVER
    assert machine.driver(RNG) == UIO_DRIVER
    entry = Journal(run).read(RNG)
    assert entry is not None
    assert entry.binding is not None
    assert entry.binding.kept
    assert restore(RNG, sysfs=machine, run=run).driver == "virtio-pci"
    assert pending(run) == []


def test_a_function_that_only_a_run_took_is_given_back_by_it(machine: FakeMachine, run: Path) -> None:
    with open_uio(RNG, sysfs=machine, run=run):
        entry = Journal(run).read(RNG)
    assert entry is not None
    assert entry.binding is not None
    assert not entry.binding.kept
    assert machine.driver(RNG) == "virtio-pci"
