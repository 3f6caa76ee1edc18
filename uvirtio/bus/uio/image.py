"""Configuration space as bytes, read without disturbing who drives the device.

Reading the data field of the PCI_CFG capability is an access to whatever register its window was left on (virtio 1.4,
4.1.4.9), and firmware leaves it on ISR, whose bits vanish when they are read. So that field is never read, and is 0 here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from ...spec.pci import CapabilityId, Header, PciStatus, StructureCap, StructureType

__all__ = ["read_image", "read_rest"]

_DATA_WIDTH = 4


def read_image(handle: int) -> bytes:
    """The header and the capabilities of the list, 256 bytes with 0 for all else, from an open ``config`` of sysfs.

    64 bytes or less where the kernel gives no more (without root; a device that goes away). Where configuration space
    is slow, as in a guest that leaves to its hypervisor for every 4 bytes, this costs half of reading everything.
    """
    start = _read(handle, 0, Header.FIRST_CAPABILITY + 4)
    if len(start) <= Header.FIRST_CAPABILITY:
        return start
    image = bytearray(start.ljust(Header.SIZE, b"\0"))
    for at in _capabilities(image):
        _take(handle, image, at, at + StructureCap.SIZE)
    fields = _data_fields(image)
    for at in _capabilities(image):
        if image[at] == CapabilityId.VENDOR:
            _take(handle, image, at + StructureCap.SIZE, at + image[at + StructureCap.LENGTH], fields)
    return bytes(image)


def read_rest(handle: int, image: bytes) -> bytes:
    """The same with what lies between the capabilities, for people who look at raw bytes."""
    whole = bytearray(image)
    _take(handle, whole, Header.FIRST_CAPABILITY, len(whole), _data_fields(image))
    return bytes(whole)


def _read(handle: int, at: int, length: int) -> bytes:
    try:
        return os.pread(handle, length, at)
    except OSError:
        return b""


def _take(handle: int, image: bytearray, start: int, end: int, without: Sequence[int] = ()) -> None:
    """Fill in bytes start..end, except for the data fields that begin at ``without``."""
    for field in without:
        if start <= field < end:
            _take(handle, image, start, field)
            start = field + _DATA_WIDTH
    end = min(end, len(image))
    if start < end:
        data = _read(handle, start, end - start)
        image[start : start + len(data)] = data


def _capabilities(image: bytes | bytearray) -> Iterator[int]:
    """Where the capabilities stand; ends at the first pointer that leads astray, and where the list comes back to itself."""
    at = image[Header.CAPABILITIES] & ~3 if image[Header.STATUS] & PciStatus.CAPABILITIES else 0
    seen: set[int] = set()
    while Header.FIRST_CAPABILITY <= at <= len(image) - 4 and at not in seen:
        seen.add(at)
        yield at
        at = image[at + StructureCap.NEXT] & ~3


def _data_fields(image: bytes | bytearray) -> list[int]:
    """Where the data fields of PCI_CFG capabilities stand, in order."""
    return sorted(
        at + StructureCap.PCI_CFG_DATA
        for at in _capabilities(image)
        if image[at] == CapabilityId.VENDOR and image[at + StructureCap.CFG_TYPE] == StructureType.PCI_CFG
    )
