"""The regions of a device of VFIO as registers: mapped where the kernel lets them be, called otherwise."""

from __future__ import annotations

import mmap

from ...access.view import Region
from ...errors import DeviceMisbehaved
from ...spec.pci import Header
from ..uio.bars import OpenBar, mapped_bar, port_region
from ..uio.sysfs import explain
from .descriptor import RegionPlace, VfioDevice

__all__ = ["config_region", "open_region"]


def config_region(device: VfioDevice, bdf: str, index: int) -> Region:
    """Configuration space. Raises :class:`DeviceMisbehaved` where there is none."""
    place = device.region(index)
    if place is None or place.size < Header.SIZE:
        raise DeviceMisbehaved(f"{bdf}: VFIO gives {place.size if place else 0} bytes of configuration space")
    return port_region(device.handle, place.size, place.offset)


def open_region(device: VfioDevice, bdf: str, number: int) -> OpenBar:
    """A BAR. Raises :class:`DeviceMisbehaved` where there is none, :class:`CannotRun` where it cannot be mapped."""
    place = device.region(number) if 0 <= number < Header.BARS else None
    if place is None:
        raise DeviceMisbehaved(f"{bdf}: BAR {number} was asked for, and VFIO has no such region")
    if place.mappable == ((0, place.size),):
        mapping = _map(device, bdf, number, place, 0, place.size)
        return mapped_bar(memoryview(mapping), mapping.close)
    called = port_region(device.handle, place.size, place.offset)
    if not place.mappable:
        return OpenBar(called, lambda: None)
    return _sparse(device, bdf, number, place, called)


def _map(device: VfioDevice, bdf: str, number: int, place: RegionPlace, at: int, size: int) -> mmap.mmap:
    try:
        return device.kernel.map(device.handle, size, place.offset + at)
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError):
            raise DeviceMisbehaved(
                f"{bdf}: {size:#x} bytes at {at:#x} of BAR {number} cannot be mapped: {error}"
            ) from error
        raise explain(error, f"mapping BAR {number} of {bdf} through VFIO") from error


def _sparse(device: VfioDevice, bdf: str, number: int, place: RegionPlace, called: Region) -> OpenBar:
    """A region of which only parts can be mapped: what lies in one is an access to memory, all else a call."""
    parts: list[tuple[int, int, OpenBar]] = []

    def close() -> None:
        while parts:
            parts.pop()[2].close()

    try:
        for at, size in place.mappable:
            if at < 0 or size <= 0 or at + size > place.size:
                raise DeviceMisbehaved(
                    f"{bdf}: {size:#x} bytes at {at:#x}, which VFIO lets map, are outside of BAR {number}"
                )
            mapping = _map(device, bdf, number, place, at, size)
            parts.append((at, at + size, mapped_bar(memoryview(mapping), mapping.close)))
    except BaseException:
        close()
        raise

    def part(offset: int, width: int) -> tuple[Region, int]:
        for start, end, bar in parts:
            if start <= offset and offset + width <= end:
                return bar.region, offset - start
        return called, offset

    def read(offset: int, width: int) -> int:
        region, at = part(offset, width)
        return region.read(at, width)

    def write(offset: int, width: int, value: int) -> None:
        region, at = part(offset, width)
        region.write(at, width, value)

    return OpenBar(Region.calls(read, write, place.size), close)
