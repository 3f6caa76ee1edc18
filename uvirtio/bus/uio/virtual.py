"""The configuration header of a virtual function, filled in with what stands nowhere in it.

SR-IOV leaves out what the physical function says for all of its virtual ones: vendor and device id read all-ones, BARs
and interrupt pin 0, and memory decoding off (Single Root I/O Virtualization 1.1, 3.4.1). The kernel knows them, so that
whoever reads a header need not know of any of this.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...access.view import Region
from ...spec.pci import BarFlag, Command, Header
from .discovery import PciFunction

__all__ = ["Missing", "fill_in", "filled_in", "missing"]

#: By byte offset: which bits are filled in, and with what.
Missing = Mapping[int, tuple[int, int]]

_ALL_ONES = 0xFFFF_FFFF


def missing(function: PciFunction) -> Missing:
    """What the header of a function leaves out, as the kernel knows it; nothing unless it is a virtual function."""
    found: dict[int, tuple[int, int]] = {}
    if function.physical is None:
        return found

    def put(offset: int, width: int, value: int) -> None:
        found.update((offset + at, (0xFF, byte)) for at, byte in enumerate(value.to_bytes(width, "little")))

    put(Header.VENDOR, 2, function.identity.vendor & 0xFFFF)
    put(Header.DEVICE, 2, function.identity.device & 0xFFFF)
    # The physical function's VF MSE stands for this bit, and there are no virtual functions without it.
    found[Header.COMMAND] = (Command.MEMORY, Command.MEMORY)
    for bar in function.bars:
        flags = BarFlag.TYPE_64 * bar.wide | BarFlag.PREFETCHABLE * bar.prefetchable
        put(Header.BAR0 + 4 * bar.number, 8 if bar.wide else 4, bar.address | flags)
    put(Header.INTERRUPT_PIN, 1, 0)
    return found


def fill_in(config: bytes, blanks: Missing) -> bytes:
    """A header, or all of configuration space, with what was missing in it."""
    if not blanks or config[Header.CLASS : Header.CLASS + 4] == _ALL_ONES.to_bytes(4, "little"):
        return config
    whole = bytearray(config)
    for at, (bits, value) in blanks.items():
        if at < len(whole):
            whole[at] = whole[at] & ~bits | value
    return bytes(whole)


def filled_in(config: Region, blanks: Missing) -> Region:
    """The same for live registers: they still read all-ones once the function is gone, also where its ids are."""
    if not blanks:
        return config

    def read(offset: int, width: int) -> int:
        value = config.read(offset, width)
        here = [at for at in range(offset, offset + width) if at in blanks]
        if not here:
            return value
        # The ids cannot tell whether anyone is there: class and revision of a function that is there are never all-ones.
        if config.u32[Header.CLASS // 4] == _ALL_ONES:
            return (1 << 8 * width) - 1
        for at in here:
            (bits, known), shift = blanks[at], 8 * (at - offset)
            value = value & ~(bits << shift) | known << shift
        return value

    return Region.calls(read, config.write, config.length)
