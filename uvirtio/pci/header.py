"""The identity of a PCI function and its base address registers, decoded from configuration space."""

from __future__ import annotations

from typing import NamedTuple

from ..access.view import Region
from ..errors import DeviceGone, NotVirtio
from ..spec.ids import device_type, is_transitional_id, is_virtio, type_name
from ..spec.pci import BarFlag, Header

__all__ = ["Bar", "Identity", "decode_identity", "read_bars", "read_identity"]


class Identity(NamedTuple):
    """Who a function says it is (virtio 1.4, 4.1.2)."""

    vendor: int
    device: int
    revision: int
    class_code: int
    subsystem_vendor: int
    subsystem: int
    interrupt_pin: int

    def __str__(self) -> str:
        """Its registers as lspci writes them."""
        return (
            f"{self.vendor:04x}:{self.device:04x} revision {self.revision:02x}, class {self.class_code:06x}, "
            f"subsystem {self.subsystem_vendor:04x}:{self.subsystem:04x}, interrupt pin {self.interrupt_pin}"
        )

    @property
    def type(self) -> int:
        """The virtio device id, e.g. 4 for an entropy source; see :mod:`.contradictions` for which of the ids says it."""
        return device_type(self.device, self.subsystem)

    @property
    def type_name(self) -> str:
        """Its short name, e.g. ``rng``."""
        return type_name(self.type)

    @property
    def is_virtio(self) -> bool:
        """Whether the ids are those of a virtio device."""
        return is_virtio(self.vendor, self.device)

    @property
    def transitional_id(self) -> bool:
        """Whether the PCI device id is in the range of legacy and transitional devices."""
        return is_transitional_id(self.device)


class Bar(NamedTuple):
    """A base address register: its number, whether it is I/O, 64 bits wide, prefetchable, and its address."""

    number: int
    io: bool
    wide: bool
    prefetchable: bool
    address: int

    @property
    def kind(self) -> str:
        """``I/O``, ``memory 32-bit`` or ``memory 64-bit prefetchable``."""
        if self.io:
            return "I/O"
        return f"memory {'64' if self.wide else '32'}-bit{' prefetchable' if self.prefetchable else ''}"


def decode_identity(config: Region, name: str) -> Identity:
    """What configuration space says, virtio or not. Raises :class:`DeviceGone`; ``name`` is for the message."""
    ids = config.u32[0]
    if ids == 0xFFFF_FFFF:
        raise DeviceGone(f"{name}: configuration space reads all-ones; there is no function here any more")
    revision_class = config.u32[Header.CLASS // 4]
    subsystem = config.u32[Header.SUBSYSTEM_VENDOR // 4]
    return Identity(
        vendor=ids & 0xFFFF,
        device=ids >> 16,
        revision=revision_class & 0xFF,
        class_code=revision_class >> 8,
        subsystem_vendor=subsystem & 0xFFFF,
        subsystem=subsystem >> 16,
        interrupt_pin=config.u8[Header.INTERRUPT_PIN],
    )


def read_identity(config: Region, name: str) -> Identity:
    """Read a virtio function's identity. Raises :class:`DeviceGone` or :class:`NotVirtio`; ``name`` is for the message."""
    identity = decode_identity(config, name)
    if not identity.is_virtio:
        raise NotVirtio(
            f"{name} is {identity.vendor:04x}:{identity.device:04x}, not a virtio device "
            "(1af4:1000-107f); `uvirtio list` shows those that are"
        )
    return identity


def read_bars(config: Region) -> list[Bar]:
    """The base address registers that are in use, without touching them (their sizes are the bus's business)."""
    bars: list[Bar] = []
    number = 0
    while number < Header.BARS:
        low = config.u32[Header.BAR0 // 4 + number]
        if low & BarFlag.IO:
            bars.append(Bar(number, True, False, False, low & ~0b11))
        elif low:
            wide = low & BarFlag.TYPE == BarFlag.TYPE_64
            address = low & ~0xF
            if wide and number + 1 < Header.BARS:
                address |= config.u32[Header.BAR0 // 4 + number + 1] << 32
            bars.append(Bar(number, False, wide, bool(low & BarFlag.PREFETCHABLE), address))
            number += wide
        number += 1
    return bars
