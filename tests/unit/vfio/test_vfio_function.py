"""A function through VFIO's groups, against a stand-in for the kernel: registers, memory, giving back."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from tests.unit.uio.fake import COMMON_AT, RNG, Crash
from tests.unit.uio.test_function import Memory
from tests.unit.vfio.boxed import VfioMachine
from tests.unit.vfio.conftest import Opener
from tests.unit.vfio.fake import FakeKernel
from uvirtio.bus.uio import bind, pending, restore
from uvirtio.bus.uio.sysfs import UIO_DRIVER, VFIO_DRIVER
from uvirtio.errors import CannotRun, DeviceBusy, DeviceMisbehaved, LocatorError
from uvirtio.spec.pci import Command


def test_a_function_is_given_back_as_it_was_found(
    machine: VfioMachine, kernel: FakeKernel, opener: Opener, run: Path
) -> None:
    machine.modprobe(VFIO_DRIVER)
    before = machine.picture()
    function = opener("virtio3")
    assert (function.locator, function.bus, function.driver_before) == (f"vfio:{RNG}", "vfio", "virtio-pci")
    assert machine.driver(RNG) == VFIO_DRIVER
    function.dma.allocate(100)
    function.enable_bus_mastering()
    assert kernel.command & Command.BUS_MASTER
    function.close()
    function.close()
    assert machine.picture() == before
    assert (kernel.open_files, kernel.maps, kernel.resets, pending(run)) == ([], {}, 1, [])


def test_its_configuration_space_is_written_through_vfio_alone(machine: VfioMachine, opener: Opener) -> None:
    """What a locked down kernel forbids is not needed."""
    with opener() as function:
        assert function.config.u16[0] == 0x1AF4
    assert not [write for write in machine.writes if write.startswith("config")]


def test_lockdown_is_not_in_the_way(machine: VfioMachine, opener: Opener) -> None:
    (machine.sys / "kernel/security").mkdir(parents=True)
    (machine.sys / "kernel/security/lockdown").write_text("none [integrity] confidentiality\n")
    with opener() as function:
        assert function.bar(4).length == 0x4000
    with pytest.raises(CannotRun, match=f"vfio:{RNG}: VFIO, which needs an IOMMU"):
        bind(RNG, sysfs=machine, run=machine.root / "other")


# -- memory ------------------------------------------------------------------------------------------------------------


def test_bus_addresses_are_chosen_above_4_gib_and_need_neither_pagemap_nor_huge_pages(
    machine: VfioMachine, kernel: FakeKernel, opener: Opener
) -> None:
    with opener() as function:
        first, second = function.dma.allocate(64), function.dma.allocate(8 << 20)
        assert [dma.address for dma in (first, second)] == [0x2_4680_0000, min(kernel.maps.keys() - {0x2_4680_0000})]
        assert function.surroundings.mapped
        assert not function.surroundings.translated
        for at, (address, size) in kernel.maps.items():
            assert address % (2 << 20) == at % (2 << 20) == size % (2 << 20) == 0
        second.memory[:4] = b"data"
        assert function.facts()["dma"] == "mapped in the IOMMU at bus addresses of our choice"
    assert machine.number(machine.pool / "nr_hugepages") == 0


def test_an_iommu_of_few_bits_gets_low_addresses_within_what_it_reaches(kernel: FakeKernel, opener: Opener) -> None:
    kernel.ranges = [(0, 0x1F_FFFF), (0x300_0000, 0x7FF_FFFF)]
    with opener() as function:
        assert function.dma.allocate(64).address == 0x300_0000
        with pytest.raises(CannotRun, match=r"no room for 0x\w+ bytes of DMA memory \(it maps 0x0-0x1fffff, "):
            function.dma.allocate(128 << 20)


def test_where_no_ranges_are_told_the_usual_ones_are_taken(kernel: FakeKernel, opener: Opener) -> None:
    kernel.ranges = [(0, (1 << 48) - 1)]
    kernel._container_12 = lambda _argument: 0  # type: ignore[method-assign]
    with opener() as function:
        assert function.dma.allocate(64).address == 0x2_4680_0000


def test_a_device_that_may_go_past_the_iommu_gets_physical_addresses_that_are_mapped_too(
    kernel: FakeKernel, opener: Opener, memory: Memory
) -> None:
    kernel.platform = False
    with opener() as function:
        dma = function.dma.allocate(64)
        assert dma.address == 100 * 4096
        assert list(kernel.maps) == [dma.address]
        assert not function.surroundings.mapped
    assert kernel.maps == {}


def test_so_does_the_legacy_interface_which_has_no_such_feature(
    kernel: FakeKernel, opener: Opener, memory: Memory
) -> None:
    from uvirtio.bus.locator import parse

    with opener(parse("vfio:5.0?legacy=on")) as function:
        assert function.surroundings.legacy
        assert function.dma.allocate(64).address == 100 * 4096


# -- registers ---------------------------------------------------------------------------------------------------------


def test_a_bar_is_mapped_whole_and_port_registers_are_called(kernel: FakeKernel, opener: Opener) -> None:
    with opener() as function:
        bar = function.bar(4)
        bar.u8[COMMON_AT + 0x14] = 0x0F
        assert os.pread(kernel.device, 1, (4 << 40) + COMMON_AT + 0x14) == b"\x0f"
        function.bar(0).u16[4] = 0xBEEF
        assert os.pread(kernel.device, 2, 8) == b"\xef\xbe"
        with pytest.raises(IndexError):
            function.bar(0).u8[0x20]
        with pytest.raises(DeviceMisbehaved, match="no such region"):
            function.bar(2)
    assert "mmap 4+0x0:0x4000" in kernel.calls
    assert not [call for call in kernel.calls if call.startswith("mmap 0")]
    with pytest.raises(ValueError, match="released"):
        bar.u8[0]


def test_a_region_that_cannot_be_mapped_is_called(kernel: FakeKernel, opener: Opener) -> None:
    kernel.not_mapped.add(4)
    with opener() as function:
        function.bar(4).u32[COMMON_AT // 4] = 0x1234_5678
        assert os.pread(kernel.device, 4, (4 << 40) + COMMON_AT) == b"\x78\x56\x34\x12"


def test_of_a_region_that_is_mapped_in_parts_the_rest_is_called(kernel: FakeKernel, opener: Opener) -> None:
    kernel.sparse[4] = [(0, 0x1000), (0x2000, 0x2000)]
    with opener() as function:
        bar = function.bar(4)
        for at in (0x10, 0x1FFC, 0x3000):
            bar.u32[at // 4] = at
            assert (bar.u32[at // 4], os.pread(kernel.device, 4, (4 << 40) + at)) == (at, at.to_bytes(4, "little"))
    assert [call for call in kernel.calls if call.startswith("mmap")] == ["mmap 4+0x0:0x1000", "mmap 4+0x2000:0x2000"]


def test_a_part_that_lies_outside_is_not_mapped(kernel: FakeKernel, opener: Opener) -> None:
    kernel.sparse[4] = [(0x3000, 0x2000)]
    with pytest.raises(DeviceMisbehaved, match="outside of BAR 4"):
        opener()
    assert kernel.open_files == []


# -- giving back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", ["virtio-pci", None, UIO_DRIVER, VFIO_DRIVER])
def test_whatever_had_the_function_has_it_afterwards(machine: VfioMachine, opener: Opener, driver: str | None) -> None:
    if driver != "virtio-pci":
        machine._unbind(RNG)
    if driver in (UIO_DRIVER, VFIO_DRIVER):
        machine.modprobe(driver)
        (machine.function(RNG) / "driver_override").write_text(driver + "\n")
        machine._bind(RNG, driver)
    override = machine.override(RNG)
    with opener():
        assert machine.driver(RNG) == VFIO_DRIVER
    assert (machine.driver(RNG), machine.override(RNG)) == (driver, override)


@pytest.mark.parametrize("die_at", range(8))
def test_a_process_that_dies_anywhere_leaves_a_journal_that_brings_everything_back(
    machine: VfioMachine, kernel: FakeKernel, opener: Opener, run: Path, die_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.modprobe(VFIO_DRIVER)
    before = machine.picture()
    machine.die_at = die_at
    # Dying means that no handler of the process runs either.
    with monkeypatch.context() as patch:
        patch.setattr("uvirtio.bus.uio.taking.undo", lambda *_, **__: [])
        patch.setattr("uvirtio.bus.vfio.function.undo", lambda *_, **__: [])
        with contextlib.suppress(Crash):
            opener().close()
    machine.die_at = None
    restore(RNG, sysfs=machine, run=run)
    assert machine.picture() == before
    assert pending(run) == []


def test_one_process_at_a_time_drives_it(opener: Opener) -> None:
    with opener(), pytest.raises(DeviceBusy, match="driven by another uvirtio"):
        opener()


def test_what_was_bound_on_purpose_stays_where_it_is_and_is_not_taken_away(
    machine: VfioMachine, opener: Opener, run: Path
) -> None:
    bound = bind(RNG, sysfs=machine, run=run, driver=VFIO_DRIVER)
    assert (bound.node, bound.driver, bound.already) == ("vfio/9", VFIO_DRIVER, False)
    opener().close()
    assert machine.driver(RNG) == VFIO_DRIVER
    with pytest.raises(CannotRun, match="was bound to vfio-pci on purpose; give it back first: uvirtio restore"):
        bind(RNG, sysfs=machine, run=run)
    assert restore(RNG, sysfs=machine, run=run).driver == "virtio-pci"
    bind(RNG, sysfs=machine, run=run)
    with pytest.raises(CannotRun, match="was bound to uio_pci_generic on purpose"):
        opener()
    assert restore(RNG, sysfs=machine, run=run).driver == "virtio-pci"


def test_without_a_journal_the_kernel_chooses(machine: VfioMachine, run: Path) -> None:
    bind(RNG, sysfs=machine, run=run, driver=VFIO_DRIVER)
    (run / f"{RNG}.json").unlink()
    back = restore(RNG, sysfs=machine, run=run)
    assert (back.driver, machine.override(RNG)) == ("virtio-pci", "")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("vfio:5.0?interface=cdev", "none of auto, group, iommufd"), ("vfio:5.0?fault=V4", "unknown parameter 'fault'")],
)
def test_what_is_not_understood_is_told(opener: Opener, text: str, complaint: str) -> None:
    from uvirtio.bus.locator import parse

    with pytest.raises(LocatorError, match=complaint):
        opener(parse(text))


def test_a_device_that_does_not_reset_is_told_of(kernel: FakeKernel, opener: Opener) -> None:
    function = opener()
    kernel.resettable = False
    function.close()
    assert function.notes == [
        f"asking VFIO for a reset of {RNG} (DEVICE_RESET) failed: Invalid argument; the kernel's log (dmesg) may say why; "
        "bus mastering is off"
    ]
