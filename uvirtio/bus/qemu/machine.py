"""The PC around the device, as its firmware would set it up: configuration space, BAR placement, interrupt routing."""

from __future__ import annotations

from typing import NamedTuple

from ...access.view import Region
from ...errors import CannotRun
from ...pci.command import change_command
from ...spec.pci import BarFlag, Bridge, Command, ConfigPort, Header
from .qtest import Qtest

__all__ = [
    "FIRMWARE",
    "HIGH_MEMORY",
    "INTERRUPTS",
    "LOW_MEMORY",
    "MEMORY",
    "PlacedBar",
    "Slot",
    "route_interrupts",
    "watch_interrupts",
]

#: Guest memory in bytes, and how much of it lies below 4 GiB. The driver's memory is the part above, so that a bus
#: address is not an offset, and half of an address that gets lost shows.
MEMORY, LOW_MEMORY, HIGH_MEMORY = 256 << 20, 64 << 20, 1 << 32

#: A firmware that halts: 64 KiB of HLT, and at the reset vector CLI, HLT, and a jump back to the HLT.
FIRMWARE = (b"\xf4" * 0xFFF0 + b"\xfa\xf4\xeb\xfd").ljust(1 << 16, b"\xf4")

# Where BARs go: ports, memory below 4 GiB, memory above it (out of the way of RAM).
_PORTS, _LOW, _HIGH = (0xC000, 0x10000), (0xE000_0000, 0xFE00_0000), (1 << 35, 1 << 38)

_PIIX3 = 0x7000_8086
_PIIX3_ROUTES = range(0x60, 0x64)
_ISA_INTERRUPT = 11
#: IOAPIC inputs that PCI interrupts arrive at: the one that the PIIX3 is told to use, and those of an ICH9.
INTERRUPTS = frozenset({_ISA_INTERRUPT, *range(16, 24)})

_PIT_COMMAND, _PIT_ONE_SHOT = 0x43, 0x30


class PlacedBar(NamedTuple):
    """A base address register that was given an address: ``size`` bytes of I/O or memory space."""

    number: int
    io: bool
    address: int
    size: int


class _Allocator:
    def __init__(self, bounds: tuple[int, int]) -> None:
        self._next, self._end = bounds

    def take(self, size: int) -> int:
        at = self._next + -self._next % size
        if at + size > self._end:
            raise CannotRun(f"no address is left for a BAR of {size:#x} bytes")
        self._next = at + size
        return at


class Slot:
    """One function: its numbers, its configuration space, and the ``bridges`` that it is behind, the outermost first."""

    def __init__(self, qtest: Qtest, device: int, function: int, bus: int = 0, bridges: tuple[Slot, ...] = ()) -> None:
        self._qtest = qtest
        self.device = device
        self.function = function
        self.bus = bus
        self._bridges = bridges
        #: The device was taken out.
        self.empty = False
        self._address = ConfigPort.ENABLE | bus << 16 | device << 11 | function << 8
        self.config = Region.calls(self._read, self._write, Header.SIZE)

    @property
    def name(self) -> str:
        """``00:02.0``."""
        return f"{self.bus:02x}:{self.device:02x}.{self.function:x}"

    def _read(self, offset: int, width: int) -> int:
        self._qtest.write_port(ConfigPort.ADDRESS, 4, self._address | offset & ~3)
        return self._qtest.read_port(ConfigPort.DATA + (offset & 3), width)

    def _write(self, offset: int, width: int, value: int) -> None:
        self._qtest.write_port(ConfigPort.ADDRESS, 4, self._address | offset & ~3)
        self._qtest.write_port(ConfigPort.DATA + (offset & 3), width, value)

    def set_up(self) -> dict[int, PlacedBar]:
        """Size and place the BARs, then switch decoding on, here and in the bridges on the way, and let INTx through."""
        ports, low, high = _Allocator(_PORTS), _Allocator(_LOW), _Allocator(_HIGH)
        bars: dict[int, PlacedBar] = {}
        number = 0
        words = self.config.u32
        while number < Header.BARS:
            index = Header.BAR0 // 4 + number
            words[index] = 0xFFFF_FFFF
            mask = words[index]
            if not mask:
                number += 1
                continue
            if mask & BarFlag.IO:
                size = -(mask & ~0b11 | 0xFFFF_0000) & 0xFFFF_FFFF
                bar = PlacedBar(number, True, ports.take(size), size)
                words[index] = bar.address
                number += 1
            elif mask & BarFlag.TYPE == BarFlag.TYPE_64 and number + 1 < Header.BARS:
                words[index + 1] = 0xFFFF_FFFF
                size = -(words[index + 1] << 32 | mask & ~0xF) & (1 << 64) - 1
                bar = PlacedBar(number, False, high.take(size), size)
                words[index], words[index + 1] = bar.address & 0xFFFF_FFFF, bar.address >> 32
                number += 2
            else:
                size = -(mask & ~0xF) & 0xFFFF_FFFF
                bar = PlacedBar(number, False, low.take(size), size)
                words[index] = bar.address
                number += 1
            bars[bar.number] = bar
        for bridge in self._bridges:
            bridge.open_windows()
        change_command(self.config, set_bits=Command.IO | Command.MEMORY, clear_bits=Command.INTX_DISABLE)
        self.config.u8[Header.INTERRUPT_LINE] = _ISA_INTERRUPT
        return bars

    def open_windows(self) -> None:
        """Let a bridge pass on all addresses that BARs may get, and what comes from behind it."""
        byte, half, word = self.config.u8, self.config.u16, self.config.u32
        byte[Bridge.IO_BASE], byte[Bridge.IO_LIMIT] = _PORTS[0] >> 8, _PORTS[1] - 1 >> 8 & 0xF0
        half[Bridge.MEMORY_BASE // 2], half[Bridge.MEMORY_LIMIT // 2] = _LOW[0] >> 16, _LOW[1] - 1 >> 16 & 0xFFF0
        half[Bridge.PREFETCHABLE_BASE // 2] = _HIGH[0] >> 16 & 0xFFF0
        half[Bridge.PREFETCHABLE_LIMIT // 2] = _HIGH[1] - 1 >> 16 & 0xFFF0
        word[Bridge.PREFETCHABLE_BASE_UPPER // 4] = _HIGH[0] >> 32
        word[Bridge.PREFETCHABLE_LIMIT_UPPER // 4] = _HIGH[1] - 1 >> 32
        change_command(
            self.config, set_bits=Command.IO | Command.MEMORY | Command.BUS_MASTER, clear_bits=Command.INTX_DISABLE
        )


def route_interrupts(qtest: Qtest, functions: list[Slot]) -> bool:
    """Lead INTx to the IOAPIC's inputs and watch those; False where this QEMU cannot tell of them."""
    # Not programmed by anybody, the PIT raises its interrupt 18 times a second; in this mode it waits for ever.
    qtest.write_port(_PIT_COMMAND, 1, _PIT_ONE_SHOT)
    for slot in functions:
        if slot.config.u32[0] == _PIIX3:
            for register in _PIIX3_ROUTES:
                slot.config.u8[register] = _ISA_INTERRUPT
    return watch_interrupts(qtest)


def watch_interrupts(qtest: Qtest) -> bool:
    """Be told of the lines that arrive at the IOAPIC; False where this QEMU cannot tell."""
    return qtest.intercept("ioapic")
