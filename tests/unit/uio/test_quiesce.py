"""Stopping a device that a dead driver left behind: what is written, what is only told, and to whom nothing is said."""

from __future__ import annotations

import pytest

from tests.unit.uio.fake import COMMON_AT, RNG, FakeMachine
from uvirtio.access.clock import SimulatedClock
from uvirtio.access.view import Region
from uvirtio.bus.uio import quiesce
from uvirtio.bus.uio.bars import OpenBar
from uvirtio.bus.uio.quiesce import stop
from uvirtio.bus.uio.sysfs import Sysfs
from uvirtio.spec.pci import Command, Header
from uvirtio.spec.registers import COMMON, LEGACY
from uvirtio.spec.status import GONE

STATUS = COMMON_AT + COMMON["device_status"].offset


def show(machine: FakeMachine, status: int, bar: int = 4, at: int = STATUS) -> None:
    with (machine.function(RNG) / f"resource{bar}").open("r+b") as registers:
        registers.seek(at)
        registers.write(bytes([status]))


def status(machine: FakeMachine, bar: int = 4, at: int = STATUS) -> int:
    return (machine.function(RNG) / f"resource{bar}").read_bytes()[at]


def test_a_running_device_is_reset_with_bus_mastering_off_first(machine: FakeMachine) -> None:
    show(machine, 0x0F)
    at_write: list[int] = []
    machine.before_write.append(lambda: at_write.append(status(machine)))
    assert stop(machine, RNG) == ""
    assert status(machine) == 0
    assert machine.command() == Command.MEMORY | Command.IO


def test_memory_and_ports_are_decoded_for_it_whatever_was_set_before(machine: FakeMachine) -> None:
    machine.poke(RNG, Header.COMMAND, 2, Command.INTX_DISABLE | Command.BUS_MASTER)
    show(machine, 0x0F)
    assert stop(machine, RNG) == ""
    assert status(machine) == 0
    assert machine.command() == Command.MEMORY | Command.IO | Command.INTX_DISABLE


def test_a_dry_run_tells_what_it_would_write_and_leaves_the_device_running(machine: FakeMachine) -> None:
    show(machine, 0x0F)
    before, told = machine.picture(), []
    assert stop(Sysfs(machine.root, dry_run=True, tell=told.append), RNG) == ""
    assert machine.picture() == before
    assert told == [f"setpci -s {RNG} 4.W=3"]


def test_where_configuration_space_does_not_answer_nothing_is_written(machine: FakeMachine) -> None:
    show(machine, 0x0F)
    (machine.function(RNG) / "config").write_bytes(b"\xff" * 256)
    before = machine.picture()
    assert stop(machine, RNG) == f"{RNG}: configuration space does not answer; there is nothing to stop"
    assert machine.writes == []
    assert machine.picture() == before


@pytest.mark.parametrize("shown", [0, GONE])
def test_a_device_that_is_reset_or_gone_is_not_written_to(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, shown: int
) -> None:
    show(machine, shown)
    monkeypatch.setattr(quiesce, "poll", lambda *_: pytest.fail("waits for a device that has nothing to do"))
    assert stop(machine, RNG) == ""
    assert status(machine) == shown


def test_a_device_with_the_legacy_interface_alone_is_reset_there(machine: FakeMachine) -> None:
    config = bytearray((machine.function(RNG) / "config").read_bytes())
    config[Header.STATUS] = 0  # no capabilities
    (machine.function(RNG) / "config").write_bytes(config)
    at = LEGACY["device_status"].offset
    show(machine, 0x07, 0, at)
    show(machine, 0x0F)
    assert stop(machine, RNG) == ""
    assert (status(machine, 0, at), status(machine)) == (0, 0x0F)


def test_a_device_whose_registers_cannot_be_reached_has_bus_mastering_off_all_the_same(machine: FakeMachine) -> None:
    (machine.function(RNG) / "resource4").unlink()
    said = stop(machine, RNG)
    assert said.startswith(f"{RNG}: the device could not be reset (")
    assert said.endswith("; bus mastering is off")
    assert not machine.command() & Command.BUS_MASTER


def test_a_device_that_keeps_its_status_is_named_with_what_it_shows(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = Region.calls(lambda offset, width: 0x0F, lambda offset, width, value: None, 0x4000)
    closed: list[bool] = []
    monkeypatch.setattr(quiesce, "open_bar", lambda *_: OpenBar(stuck, lambda: closed.append(True)))
    monkeypatch.setattr(quiesce, "RealClock", SimulatedClock)
    said = stop(machine, RNG)
    assert said.startswith(f"{RNG}: the device did not reset within 2 s, status reads 0x0f")
    assert said.endswith("; bus mastering is off")
    assert closed == [True]
