"""PCI configuration space of the device: header, MSI-X and virtio capabilities, and the PCI_CFG window (4.1.4)."""

from __future__ import annotations

from collections.abc import Callable

from ..spec.ids import MODERN_BASE, VENDOR
from ..spec.pci import (
    BarFlag,
    CapabilityId,
    Command,
    Header,
    MsixControl,
    PciStatus,
    StructureCap,
    StructureType,
)
from .interrupts import Interrupts
from .layout import BARS, MSIX_BAR, MSIX_TABLE, NOTIFY_MULTIPLIER, PBA, REGION, REGIONS, STRUCTURE_BAR, STRUCTURES
from .model import DeviceModel

__all__ = ["ConfigSpace"]

#: Command bits that exist: I/O, memory, bus master, SERR and interrupt disable. The kernel tests that the last sticks.
_COMMAND_MASK = 0x0507
#: A vendor id that the PCI-SIG gives to nobody.
_NOBODY = 0x0001
_BUS_MASTER = int(Command.BUS_MASTER)
_SUBSYSTEM = 0x1100

_Read = Callable[[int, int, int], int]
_Write = Callable[[int, int, int, int], None]


class ConfigSpace:
    """256 bytes, each with a mask of its writable bits, and the few places where an access does something.

    ``bar_read(bar, offset, width)`` and ``bar_write(bar, offset, width, value)`` serve the PCI_CFG window.
    """

    STATE = ("_data",)

    def __init__(
        self,
        model: DeviceModel,
        vectors: int,
        interrupts: Interrupts,
        bar_read: _Read,
        bar_write: _Write,
        *,
        pin: bool,
    ) -> None:
        self._data = bytearray(Header.SIZE)
        self._mask = bytearray(Header.SIZE)
        self._interrupts = interrupts
        self._bar_read = bar_read
        self._bar_write = bar_write
        self.on_command: Callable[[], None] = lambda: None
        #: Told whether MSI-X is on, and whether all of its vectors are masked.
        self.on_control: Callable[[bool, bool], object] = lambda enabled, masked: None
        self._next = Header.FIRST_CAPABILITY
        self._last = Header.CAPABILITIES
        self._put(Header.VENDOR, 2, VENDOR)
        self._put(Header.DEVICE, 2, MODERN_BASE + model.TYPE)
        self._put(Header.COMMAND, 2, 0, _COMMAND_MASK)
        self._put(Header.STATUS, 2, PciStatus.CAPABILITIES)
        self._put(Header.CLASS, 4, model.CLASS << 8 | 1)  # revision 1: not transitional (4.1.2.1)
        self._put(Header.SUBSYSTEM_VENDOR, 2, VENDOR)
        self._put(Header.SUBSYSTEM, 2, _SUBSYSTEM)
        self._put(Header.INTERRUPT_LINE, 1, 0, 0xFF)
        self._put(Header.INTERRUPT_PIN, 1, 1 if pin else 0)
        for bar, size in BARS.items():
            wide = bar == STRUCTURE_BAR
            self._put(Header.BAR0 + 4 * bar, 4, (BarFlag.TYPE_64 | BarFlag.PREFETCHABLE) if wide else 0, -size)
            if wide:
                self._put(Header.BAR0 + 4 * bar + 4, 4, 0, 0xFFFFFFFF)
        self._msix = self._add_msix(vectors)
        for kind, (offset, length) in STRUCTURES.items():
            if kind is StructureType.DEVICE and not model.config:
                continue
            extra = NOTIFY_MULTIPLIER.to_bytes(4, "little") if kind is StructureType.NOTIFY else b""
            self._add_structure(kind, STRUCTURE_BAR, offset, length, extra)
        self._window = self._add_structure(StructureType.PCI_CFG, 0, 0, 0, bytes(4))
        self._put(self._window + StructureCap.BAR, 1, 0, 0xFF)
        self._put(self._window + StructureCap.STRUCTURE_OFFSET, 4, 0, 0xFFFFFFFF)
        self._put(self._window + StructureCap.STRUCTURE_LENGTH, 4, 0, 0xFFFFFFFF)

    # Building

    def _put(self, offset: int, width: int, value: int, mask: int = 0) -> None:
        self._data[offset : offset + width] = value.to_bytes(width, "little")
        self._mask[offset : offset + width] = (mask & (1 << 8 * width) - 1).to_bytes(width, "little")

    def _link(self, identifier: int, body: bytes) -> int:
        offset = self._next
        self._put(self._last, 1, offset)
        self._data[offset : offset + 2 + len(body)] = bytes((identifier, 0)) + body
        self._last = offset + 1
        self._next = (offset + 2 + len(body) + 3) & ~3
        return offset

    def _add_msix(self, vectors: int) -> int:
        if not vectors:
            return 0
        body = (vectors - 1).to_bytes(2, "little")
        body += (MSIX_TABLE | MSIX_BAR).to_bytes(4, "little") + (PBA | MSIX_BAR).to_bytes(4, "little")
        offset = self._link(CapabilityId.MSIX, body)
        self._put(offset + MsixControl.OFFSET, 2, vectors - 1, MsixControl.ENABLE | MsixControl.FUNCTION_MASK)
        return offset

    def add_region(self, number: int) -> None:
        """A shared memory region (4.1.4.7)."""
        self._add_structure(StructureType.SHARED_MEMORY, MSIX_BAR, REGIONS + REGION * number, REGION, bytes(8), number)

    def add_vendor_data(self) -> None:
        """Vendor data (4.1.4.8): an id that is nobody's, and 6 bytes."""
        self._add_vendor_data(_NOBODY, bytes(6))

    def _add_vendor_data(self, vendor: int, data: bytes) -> None:
        head = bytes((StructureCap.VENDOR_ID + 2 + len(data), StructureType.VENDOR))
        self._link(CapabilityId.VENDOR, head + vendor.to_bytes(2, "little") + data)

    def _add_structure(self, kind: int, bar: int, offset: int, length: int, extra: bytes, number: int = 0) -> int:
        body = bytes((StructureCap.SIZE + len(extra), kind, bar, number, 0, 0))
        body += offset.to_bytes(4, "little") + length.to_bytes(4, "little") + extra
        return self._link(CapabilityId.VENDOR, body)

    # What the rest of the device wants to know

    @property
    def command(self) -> int:
        """The command register."""
        return self._data[Header.COMMAND] | self._data[Header.COMMAND + 1] << 8

    @property
    def bus_master(self) -> bool:
        """Whether the function may reach memory."""
        # Asked at every access to memory.
        return bool(self._data[Header.COMMAND] & _BUS_MASTER)

    @property
    def memory(self) -> bool:
        """Whether memory BARs are decoded."""
        return bool(self.command & Command.MEMORY)

    @property
    def intx_disabled(self) -> bool:
        """Whether the driver (or the kernel's handler) disabled INTx."""
        return bool(self.command & Command.INTX_DISABLE)

    @property
    def msix_enabled(self) -> bool:
        """Whether MSI-X Enable is set."""
        return bool(self._msix and self._data[self._msix + MsixControl.OFFSET + 1] & MsixControl.ENABLE >> 8)

    def set_command(self, bits: int, on: bool) -> None:
        """Set or clear command bits from the host side, as a kernel does underneath a driver."""
        command = self.command | bits if on else self.command & ~bits
        self._data[Header.COMMAND : Header.COMMAND + 2] = command.to_bytes(2, "little")
        self._changed()

    def reset(self) -> None:
        """As after a function reset: nothing enabled."""
        for offset in range(Header.SIZE):
            self._data[offset] &= ~self._mask[offset]
        self._changed()

    def restored(self) -> None:
        """Its bytes were put back: tell what depends on them."""
        self._changed()

    def forget_subsystem(self) -> None:
        """Subsystem ids of 0, as of a function that nobody has set up."""
        self._put(Header.SUBSYSTEM_VENDOR, 2, 0)
        self._put(Header.SUBSYSTEM, 2, 0)

    # Accesses

    def read(self, offset: int, width: int) -> int:
        """One read access; all-ones beyond the end."""
        if offset + width > Header.SIZE:
            return (1 << 8 * width) - 1
        if self._in_window(offset):
            return self._read_window(offset - self._window - StructureCap.PCI_CFG_DATA, width)
        value = int.from_bytes(self._data[offset : offset + width], "little")
        if offset <= Header.STATUS < offset + width and self._interrupts.pending:
            value |= PciStatus.INTERRUPT << 8 * (Header.STATUS - offset)
        return value

    def write(self, offset: int, width: int, value: int) -> None:
        """One write access; bits that are not writable keep their value."""
        if offset + width > Header.SIZE:
            return
        for i, byte in enumerate(value.to_bytes(width, "little")):
            mask = self._mask[offset + i]
            self._data[offset + i] = self._data[offset + i] & ~mask | byte & mask
        if self._in_window(offset):
            self._write_window(offset - self._window - StructureCap.PCI_CFG_DATA, width, value)
        elif offset < Header.BAR0 or self._msix <= offset < self._msix + 4:
            self._changed()

    @property
    def _function_mask(self) -> bool:
        return bool(self._msix and self._data[self._msix + MsixControl.OFFSET + 1] & MsixControl.FUNCTION_MASK >> 8)

    def _changed(self) -> None:
        self._interrupts.set_msix(self.msix_enabled)
        self.on_control(self.msix_enabled, self._function_mask)
        self.on_command()

    # The window into the BARs (4.1.4.9)

    def _in_window(self, offset: int) -> bool:
        start = self._window + StructureCap.PCI_CFG_DATA
        return start <= offset < start + 4

    def _target(self) -> tuple[int, int, int] | None:
        window = self._window
        bar = self._data[window + StructureCap.BAR]
        offset = int.from_bytes(self._data[window + 8 : window + 12], "little")
        length = int.from_bytes(self._data[window + 12 : window + 16], "little")
        if length not in (1, 2, 4) or offset % length or offset + length > BARS.get(bar, 0):
            return None
        return bar, offset, length

    def _read_window(self, first: int, width: int) -> int:
        target = self._target()
        value = self._bar_read(*target) if target is not None else 0
        return value >> 8 * first & (1 << 8 * width) - 1

    def _write_window(self, first: int, width: int, value: int) -> None:
        target = self._target()
        if target is None or first:
            return
        bar, offset, length = target
        self._bar_write(bar, offset, length, value & (1 << 8 * min(length, width)) - 1)
