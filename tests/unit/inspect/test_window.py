"""Looking behind a kernel driver through the PCI_CFG window, where the window is broken in ways that were seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.uio.fake import RNG, FakeMachine
from uvirtio.access.view import Region
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.bus.uio import quiesce
from uvirtio.device import Device
from uvirtio.pci.capabilities import walk
from uvirtio.spec.features import Features
from uvirtio.spec.pci import Header, StructureCap, StructureType
from uvirtio.spec.registers import COMMON
from uvirtio_drivers import find_driver
from uvirtio_tools.inspect.model import Description
from uvirtio_tools.inspect.sources import describe_locator

#: What a read of the window's data field gives: of the BAR access itself, its offset and its width.
Window = Callable[[Callable[[int, int], int], int, int], int]


def honest(read: Callable[[int, int], int], place: int, width: int) -> int:
    return read(place, width)


def always_four_bytes(read: Callable[[int, int], int], place: int, width: int) -> int:
    """Ignores cap.length; the device behind it knows no 4 bytes where a field of one or two stands."""
    return read(place, 4) if COMMON.by_offset[place].width == 4 else 0


def at_their_lane(read: Callable[[int, int], int], place: int, width: int) -> int:
    """Leaves the bytes where they stand in the aligned word, instead of at the first place of the data field."""
    return read(place, width) << 8 * (place % 4)


def dead(read: Callable[[int, int], int], place: int, width: int) -> int:
    return 0


def all_ones(read: Callable[[int, int], int], place: int, width: int) -> int:
    return (1 << 8 * width) - 1


def without_queues(read: Callable[[int, int], int], place: int, width: int) -> int:
    return 0 if place == COMMON["num_queues"].offset else read(place, width)


def forgetful(read: Callable[[int, int], int], place: int, width: int) -> int:
    """Not the window: a device whose driver_feature reads 0, as those of several hypervisors do."""
    return 0 if place == COMMON["driver_feature"].offset else read(place, width)


class Held:
    """A machine whose kernel drives an emulated device, which is reached through its window alone."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, locator: str, window: Window) -> None:
        self.bus = EmulatedBus(parse(locator))
        self.device = Device(self.bus)
        driver = find_driver(self.device.identity.type)
        self.device.begin()
        self.negotiated = self.device.negotiate(driver.FEATURES, dependencies=driver.DEPENDENCIES).accepted
        for index, limit in driver.queues(self.device).items():
            self.device.set_up_queue(index, limit)
        self.device.driver_ok()
        self.machine = FakeMachine(folder / "machine")
        at = self.machine.add(device=self.device.identity.device)
        (at / "class").write_text(f"{self.device.identity.class_code:#x}\n")
        self.child = self.machine.child(driver="of_the_kernel", features=self.negotiated.mask)
        self._copy(at / "config")
        window_at = next(
            found.at
            for found in walk(self.bus.config, {4: 0x4000}.get)[0]
            if found.structure is not None and found.structure.type == StructureType.PCI_CFG
        )

        def read(offset: int, width: int) -> int:
            data = window_at + StructureCap.PCI_CFG_DATA
            if not data <= offset < data + 4:
                return self.bus.config.read(offset, width)
            place = self.bus.config.read(window_at + StructureCap.STRUCTURE_OFFSET, 4)
            common = place < COMMON.size
            registers = self.bus.bar(4).read
            value = window(registers, place, width) if common else registers(place, width)
            return value >> 8 * (offset - data) & (1 << 8 * width) - 1

        region = Region.calls(read, self.bus.config.write, Header.SIZE)
        monkeypatch.setattr(quiesce, "config_region", lambda _sysfs, _bdf: region)

    def _copy(self, config: Path) -> None:
        """The emulated header and capabilities, with the BARs where the fake kernel has placed them."""
        image = bytearray(b"".join(self.bus.config.u32[at].to_bytes(4, "little") for at in range(Header.SIZE // 4)))
        placed = config.read_bytes()[Header.BAR0 : Header.BAR0 + 4 * Header.BARS]
        image[Header.BAR0 : Header.BAR0 + 4 * Header.BARS] = placed
        config.write_bytes(image)

    def look(self) -> Description:
        return describe_locator(RNG, sysfs=self.machine, intrusive=True)


KINDS = pytest.mark.parametrize(
    "locator",
    [f"emulated:{kind}{ring}" for kind in ("rng", "blk", "net", "console") for ring in ("", "?features=-RING_PACKED")],
)


@KINDS
def test_what_an_honest_window_shows_is_believed(locator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(tmp_path, monkeypatch, locator, honest)
    device = held.look()
    assert (device.source, device.status, device.problems) == ("PCI_CFG window", 0x0F, ())
    assert device.accepted == held.negotiated.mask
    assert device.offered == held.device.offered.mask
    assert device.num_queues == len(device.queues) >= 1


@KINDS
@pytest.mark.parametrize("window", [always_four_bytes, at_their_lane, dead, all_ones, without_queues])
def test_a_window_that_contradicts_the_kernel_is_told_and_what_the_kernel_knows_is_kept(
    locator: str, window: Window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(tmp_path, monkeypatch, locator, window)
    device = held.look()
    assert (device.source, device.status, device.accepted) == ("sysfs", 0x0F, held.negotiated.mask)
    assert {row.bit for row in device.features if row.accepted} == set(held.negotiated)
    assert (device.offered, device.queues, device.config) == (None, (), ())
    (problem,) = device.problems
    assert "through the PCI_CFG window, but the kernel" in problem
    assert "4.1.4.9.1" in problem


@KINDS
def test_features_that_the_device_does_not_read_back_are_those_of_the_kernel(
    locator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(tmp_path, monkeypatch, locator, forgetful)
    device = held.look()
    assert (device.source, device.status, device.accepted) == ("PCI_CFG window", 0x0F, held.negotiated.mask)
    assert device.queues
    assert all(queue.name for queue in device.queues if queue.enabled), "they are named by what was negotiated"
    (problem,) = device.problems
    assert f"driver_feature reads {Features()}, but the kernel has negotiated {held.negotiated}" in problem


def test_a_status_that_the_kernel_writes_meanwhile_is_no_contradiction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: Held

    def looking(read: Callable[[int, int], int], place: int, width: int) -> int:
        (held.child / "status").write_text("0x00000000\n")
        return 0 if place in (COMMON["device_status"].offset, COMMON["num_queues"].offset) else read(place, width)

    held = Held(tmp_path, monkeypatch, "emulated:rng", looking)
    device = held.look()
    assert (device.source, device.status) == ("PCI_CFG window", 0)
    assert not any("PCI_CFG window" in problem for problem in device.problems)
