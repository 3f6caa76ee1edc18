"""What is found, and what names stand for."""

from __future__ import annotations

import shutil

import pytest

from tests.unit.uio.fake import RNG, FakeMachine
from uvirtio.bus.uio import describe, discover, resolve
from uvirtio.errors import CannotRun, LocatorError, NoSuchDevice


def test_a_virtio_function_is_described_from_sysfs(machine: FakeMachine) -> None:
    machine.child(features=1 << 32 | 1 << 28)
    (machine.function(RNG) / "msi_irqs").mkdir()
    for vector in ("41", "40"):
        (machine.function(RNG) / "msi_irqs" / vector).touch()
    (function,) = discover(machine)
    assert (function.address, function.identity.type_name, function.driver) == (RNG, "rng", "virtio-pci")
    assert (function.irq, function.identity.interrupt_pin, function.msi) == (21, 1, (40, 41))
    assert (function.iommu_group, function.translated, function.numa_node) == (None, False, -1)
    assert [(bar.number, bar.size, bar.io, bar.wide, bar.prefetchable) for bar in function.bars] == [
        (0, 0x20, True, False, False),
        (1, 0x1000, False, False, False),
        (4, 0x4000, False, True, True),
    ]
    (child,) = function.virtio
    assert (child.name, child.driver, child.features, child.status) == ("virtio3", "virtio_rng", 1 << 32 | 1 << 28, 0xF)
    assert function.kernel_names == ("virtio3", "hwrng")


def test_functions_of_other_makers_and_other_red_hat_ids_are_left_out(machine: FakeMachine) -> None:
    machine.add("0000:00:06.0", vendor=0x8086, device=0x1044, driver=None)
    machine.add("0000:00:07.0", device=0x1110, driver=None)
    assert [function.address for function in discover(machine)] == [RNG]


def test_functions_come_in_the_order_of_their_numbers(machine: FakeMachine) -> None:
    addresses = ["10000:00:02.0", "2000:00:01.0", "0000:80:00.0", "0000:00:1f.7", "0000:0a:00.0"]
    for number, address in enumerate(addresses, 10):
        machine.add(address, number=number)
    assert [function.address for function in discover(machine)] == [
        RNG, "0000:00:1f.7", "0000:0a:00.0", "0000:80:00.0", "2000:00:01.0", "10000:00:02.0",
    ]  # fmt: skip
    assert resolve("10000:00:02.0", machine) == "10000:00:02.0"


def test_only_a_translating_iommu_group_counts_as_translated(machine: FakeMachine) -> None:
    group = machine.sys / "kernel/iommu_groups/5"
    group.mkdir(parents=True)
    (machine.function(RNG) / "iommu_group").symlink_to(group)
    for kind, translated in (("DMA", True), ("DMA-FQ", True), ("identity", False)):
        (group / "type").write_text(kind + "\n")
        found = describe(machine, RNG)
        assert (found.iommu_group, found.iommu_type, found.translated) == (5, kind, translated)


def test_a_function_that_vanishes_while_it_is_read_does_no_harm(machine: FakeMachine) -> None:
    at = machine.function(RNG)
    for name in ("resource", "config", "irq", "driver_override"):
        (at / name).unlink()
    shutil.rmtree(at / "virtio3")
    (function,) = discover(machine)
    assert (function.bars, function.identity.interrupt_pin, function.irq) == ((), 0, 0)


@pytest.mark.parametrize("name", ["0000:00:05.0", "00:05.0", "5.0", "0:5.0", "05.0", "virtio3", "eth0", "/dev/eth0"])
def test_every_form_of_a_name_leads_to_the_same_function(machine: FakeMachine, name: str) -> None:
    machine.class_device(machine.child(driver="virtio_net"), "net", "eth0")
    machine.add("0000:00:06.0", driver=None)
    assert resolve(name, machine) == RNG


def test_a_partition_leads_to_its_disks_function(machine: FakeMachine) -> None:
    disk = machine.class_device(machine.child(driver="virtio_blk"), "block", "vda")
    machine.class_device(disk, "block", "vda1")
    assert resolve("vda1", machine) == RNG


def test_a_short_address_that_fits_several_virtio_functions_is_refused(machine: FakeMachine) -> None:
    machine.add("0001:00:05.0", driver=None)
    with pytest.raises(LocatorError, match=r"fits 0000:00:05.0, 0001:00:05.0"):
        resolve("5.0", machine)


def test_a_short_address_means_the_virtio_function_where_others_fit_too(machine: FakeMachine) -> None:
    machine.add("0000:01:05.0", vendor=0x8086, driver=None)
    assert resolve("5.0", machine) == RNG


@pytest.mark.parametrize("name", ["0000:00:1f.0", "1.1", "virtio9", "eth7", "../pci", "."])
def test_what_is_not_there_is_no_such_device(machine: FakeMachine, name: str) -> None:
    with pytest.raises(NoSuchDevice, match="uvirtio list"):
        resolve(name, machine)


def test_something_without_a_pci_function_is_said_to_have_none(machine: FakeMachine) -> None:
    machine.class_device(machine.sys / "devices/virtual", "net", "lo0")
    with pytest.raises(NoSuchDevice, match="does not stand on a PCI function"):
        resolve("lo0", machine)


def test_a_machine_without_pci_is_said_to_have_none(machine: FakeMachine) -> None:
    machine.remove()
    with pytest.raises(CannotRun, match="no PCI bus"):
        resolve("5.0", machine)
