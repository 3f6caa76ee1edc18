"""The layouts of vfio-user messages, as far as a virtio device needs them (vfio-user specification, version 0).

All integers are in the byte order of the machine: both ends are on it.
"""

from __future__ import annotations

import json
import os
import struct
from enum import IntEnum, IntFlag
from typing import NamedTuple

from ..errors import DeviceMisbehaved
from ..foreign import parse_json
from ..spec.vfio import DeviceFlag, DmaFlag, IrqFlag, IrqSet, RegionFlag

__all__ = [
    "ACCESS",
    "CAPABILITIES",
    "CONFIG_REGION",
    "DEVICE_INFO",
    "DMA_ACCESS",
    "DMA_MAP",
    "DMA_UNMAP",
    "HEADER",
    "INTX",
    "IRQS",
    "IRQ_INFO",
    "MAX_FDS",
    "MAX_MAPS",
    "MAX_TRANSFER",
    "MSIX",
    "REGIONS",
    "REGION_INFO",
    "SET_IRQS",
    "VERSION",
    "Access",
    "Capabilities",
    "Command",
    "DeviceFlag",
    "DmaFlag",
    "DmaMap",
    "DmaUnmap",
    "Header",
    "HeaderFlag",
    "IrqFlag",
    "IrqInfo",
    "IrqSet",
    "RegionFlag",
    "RegionInfo",
    "SetIrqs",
    "UnmapFlag",
    "pack_version",
    "reason",
    "unpack",
    "unpack_version",
]


class Command(IntEnum):
    """Message commands."""

    VERSION = 1
    DMA_MAP = 2
    DMA_UNMAP = 3
    DEVICE_GET_INFO = 4
    DEVICE_GET_REGION_INFO = 5
    DEVICE_GET_REGION_IO_FDS = 6
    DEVICE_GET_IRQ_INFO = 7
    DEVICE_SET_IRQS = 8
    REGION_READ = 9
    REGION_WRITE = 10
    DMA_READ = 11
    DMA_WRITE = 12
    DEVICE_RESET = 13


class HeaderFlag:
    """The flags word of a header: the type in the low four bits, then single bits."""

    TYPE = 0xF
    COMMAND = 0
    REPLY = 1
    NO_REPLY = 0x10
    ERROR = 0x20


class UnmapFlag(IntFlag):
    """Flags of DMA_UNMAP."""

    DIRTY_BITMAP = 1
    ALL = 2


class Header(NamedTuple):
    """id, command, size with the header, flags, errno."""

    id: int
    command: int
    size: int
    flags: int
    errno: int


class DmaMap(NamedTuple):
    """Memory at a bus address: from ``offset`` of the file descriptor that comes along, if one does."""

    argsz: int
    flags: int
    offset: int
    address: int
    size: int


class DmaUnmap(NamedTuple):
    """Memory that goes away."""

    argsz: int
    flags: int
    address: int
    size: int


class RegionInfo(NamedTuple):
    """A region: BARs are 0 to 5, configuration space 7."""

    argsz: int
    flags: int
    region: int
    capabilities: int
    size: int
    offset: int


class IrqInfo(NamedTuple):
    """An interrupt type (``kind``) and how many there are of it."""

    argsz: int
    flags: int
    kind: int
    total: int


class SetIrqs(NamedTuple):
    """Which interrupts (``total`` of a kind from ``start``), and what to do with them; file descriptors come along."""

    argsz: int
    flags: int
    kind: int
    start: int
    total: int


class Access(NamedTuple):
    """REGION_READ and REGION_WRITE: ``length`` bytes at ``offset`` of a region; the data of a write follows."""

    offset: int
    region: int
    length: int


class Capabilities(NamedTuple):
    """What one end can take: descriptors in one message, and bytes of data in one."""

    max_msg_fds: int = 1
    max_data_xfer_size: int = 1 << 20


HEADER = struct.Struct("=HHIII")
VERSION = struct.Struct("=HH")
DMA_MAP = struct.Struct("=IIQQQ")
DMA_UNMAP = struct.Struct("=IIQQ")
DEVICE_INFO = struct.Struct("=IIII")
REGION_INFO = struct.Struct("=IIIIQQ")
IRQ_INFO = struct.Struct("=IIII")
SET_IRQS = struct.Struct("=IIIII")
ACCESS = struct.Struct("=QII")
#: DMA_READ and DMA_WRITE: bus address and length; data follows.
DMA_ACCESS = struct.Struct("=QQ")

#: Regions and interrupt types of a PCI device.
REGIONS = 9
CONFIG_REGION = 7
IRQS = 5
INTX = 0
MSIX = 2
#: What we say we can take in one message.
MAX_FDS = 16
MAX_TRANSFER = 1 << 20
#: Pieces of memory that a server of ours has mapped at a time.
MAX_MAPS = 4096
CAPABILITIES: dict[str, object] = {
    "capabilities": {
        "max_msg_fds": MAX_FDS,
        "max_data_xfer_size": MAX_TRANSFER,
        "max_dma_maps": MAX_MAPS,
        "pgsizes": 4096,
    }
}


def unpack(layout: struct.Struct, payload: bytes, what: str) -> tuple[int, ...]:
    """The fields at the start of a payload. Raises :class:`DeviceMisbehaved` when it is too short."""
    if len(payload) < layout.size:
        raise DeviceMisbehaved(f"a vfio-user {what} message of {len(payload)} bytes instead of {layout.size}")
    return layout.unpack_from(payload)


def pack_version(major: int, minor: int) -> bytes:
    """The payload of a VERSION message, with our capabilities."""
    return VERSION.pack(major, minor) + json.dumps(CAPABILITIES).encode() + b"\0"


def unpack_version(payload: bytes) -> tuple[int, int, Capabilities]:
    """Major, minor and the capabilities. Raises :class:`DeviceMisbehaved` for what is no such message."""
    major, minor = unpack(VERSION, payload, "VERSION")
    text = payload[VERSION.size :].rstrip(b"\0")
    try:
        document = parse_json(text) if text else {}
        capabilities = document.get("capabilities", {})
        if not isinstance(capabilities, dict):
            raise ValueError("capabilities is no object")
        known = {name: _limit(capabilities, name) for name in Capabilities._fields if name in capabilities}
    except (ValueError, AttributeError) as error:
        raise DeviceMisbehaved(f"the vfio-user VERSION message carries no proper JSON: {error}") from error
    return major, minor, Capabilities(**known)


def _limit(capabilities: dict[str, object], name: str) -> int:
    value = capabilities[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is {value!r}, where a number from 1 on was expected")
    return value


def reason(number: int) -> str:
    """What an error number of a message means; the sender may have put any 32 bits there."""
    if not number:
        return "no reason given"
    return os.strerror(number) if number < 1 << 31 else f"error {number}"
