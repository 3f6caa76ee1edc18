"""The inspector on a machine of plain files: what sysfs has is told, and nobody's driver is disturbed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.uio.fake import ISR_AT, RNG, FakeMachine
from uvirtio.bus.uio.discovery import describe
from uvirtio.bus.uio.lock import FunctionLock
from uvirtio.errors import NoSuchDevice
from uvirtio.spec.devices import device_spec
from uvirtio_tools.inspect.pciids import device_name
from uvirtio_tools.inspect.sources import Look, describe_all, describe_locator, describe_sysfs


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


def test_a_device_of_the_kernel_is_told_from_sysfs_alone(machine: FakeMachine) -> None:
    machine.add()
    machine.child(features=1 << 32 | 1 << 29)
    device = describe_locator("5.0", sysfs=machine)
    assert machine.writes == []
    assert device.source == "sysfs"
    assert device.driver == "virtio-pci"
    assert device.accepted == 1 << 32 | 1 << 29
    assert device.offered is None
    assert not device.suspend_known
    assert device.suspend_text == "unknown (virtio-pci)"
    assert [row.name for row in device.features] == ["F_EVENT_IDX", "F_VERSION_1"]
    assert all(row.offered is None and row.accepted for row in device.features)
    assert any("--intrusive" in note for note in device.notes)
    assert [entry.structure or entry.name for entry in device.capabilities] == [
        "COMMON",
        "MSI-X",
        "NOTIFY",
        "ISR",
        "PCI_CFG",
    ]
    assert device.interrupt is not None
    assert (device.interrupt.pin, device.interrupt.linux_irq, device.interrupt.msix_vectors) == (1, 21, 2)


def test_suspend_that_the_kernel_negotiated_is_known(machine: FakeMachine) -> None:
    machine.add()
    machine.child(features=1 << 32 | 1 << 43)
    device = describe_locator("virtio3", sysfs=machine)
    assert device.suspend == ("1.4",)
    assert device.suspend_known


def test_without_root_the_header_is_told_and_the_rest_marked(machine: FakeMachine) -> None:
    at = machine.add()
    (at / "config").write_bytes((at / "config").read_bytes()[:64])
    device = describe_locator(RNG, sysfs=machine)
    assert device.type_name == "rng"
    assert device.capabilities == ()
    assert device.problems == ()
    assert any("only root" in note for note in device.notes)


def test_a_function_that_vanishes_while_it_is_read_is_an_error_and_the_others_are_told(machine: FakeMachine) -> None:
    machine.add()
    other = machine.add("0000:00:06.0", number=4)
    (other / "config").unlink()
    found = list(describe_all(machine))
    assert [type(item).__name__ for item in found] == ["Description", "NoSuchDevice"]
    with pytest.raises(NoSuchDevice):
        describe_sysfs(describe(machine, "0000:00:06.0"), machine)


def test_the_window_behind_a_driver_needs_its_capability(machine: FakeMachine, tmp_path: Path) -> None:
    at = machine.add()
    config = bytearray((at / "config").read_bytes())
    config[ISR_AT + 1] = 0  # the list ends before the window
    (at / "config").write_bytes(config)
    device = describe_sysfs(describe(machine, RNG), machine, Look(intrusive=True), run=tmp_path / "run")
    assert device.source == "sysfs"
    assert any("no PCI_CFG capability" in note for note in device.notes)


def test_names_come_from_pci_ids_where_it_is(tmp_path: Path) -> None:
    ids = tmp_path / "pci.ids"
    ids.write_text(
        "1af3  Other\n\t1044  Wrong\n1af4  Red Hat\n\t1044  Virtio 1.0 RNG\n\t\t1af4 1100  Sub\n1af5  Next\n"
    )
    assert device_name(0x1044, paths=(ids,)) == "Virtio 1.0 RNG"
    assert device_name(0x1042, paths=(ids,)) == "Virtio block device"
    assert device_name(0x1044, paths=(tmp_path / "missing",)) == f"Virtio {device_spec(4).title}"
    assert re.match("Virtio network", device_name(0x1000, paths=()))
    (old := tmp_path / "old.ids").write_text("1af3  Other\n1af4  Red Hat\n\t1000  Virtio network card\n")
    assert device_name(0x1000, 1, paths=(old,)) == "Virtio network card"
    assert device_name(0x1000, 2, paths=(old,)) == "Virtio block device", "the list knows nothing of subsystem ids"


def test_a_device_that_another_uvirtio_drives_is_left_alone(machine: FakeMachine, tmp_path: Path) -> None:
    machine.add(driver=None)
    run = tmp_path / "run"
    with FunctionLock(RNG, run):
        device = describe_sysfs(describe(machine, RNG), machine, run=run)
    assert device.status is None
    assert any("driven by another uvirtio" in note for note in device.notes)
