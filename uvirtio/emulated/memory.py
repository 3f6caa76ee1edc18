"""Guest memory as a device reaches it: by bus address, range-checked, copied in and out.

Nothing on the device side keeps a view of guest memory. Ring indices and descriptor flags go through :meth:`load16`
and :meth:`store16`, one 16-bit access each, because a guest CPU may look at them at the same moment; everything else
is copied.
"""

from __future__ import annotations

import mmap
from bisect import bisect_right
from collections.abc import Callable
from typing import Protocol

from ..errors import UvirtioError

__all__ = ["DriverFault", "GatedMemory", "GuestMemory", "MappedMemory"]


class DriverFault(UvirtioError):
    """The driver handed the device something impossible: an address, a descriptor chain, an index."""


class GuestMemory(Protocol):
    """What a device may do to memory. Each raises :class:`DriverFault` for an address that is not there."""

    def read(self, address: int, size: int) -> bytes:
        """A copy of ``size`` bytes."""

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Copy bytes in."""

    def load16(self, address: int) -> int:
        """One aligned 16-bit load."""

    def store16(self, address: int, value: int) -> None:
        """One aligned 16-bit store."""


class _Region:
    """One contiguous stretch of bus addresses over a piece of memory that this object owns."""

    __slots__ = ("base", "bytes", "end", "mapping", "words", "writable")

    def __init__(self, base: int, memory: memoryview, writable: bool, mapping: mmap.mmap | None) -> None:
        self.base = base
        self.end = base + len(memory)
        self.bytes = memory
        self.words = memory[: len(memory) & ~1].cast("H")
        self.writable = writable
        self.mapping = mapping

    def release(self) -> None:
        self.words.release()
        self.bytes.release()
        if self.mapping is not None:
            self.mapping.close()


class MappedMemory:
    """Guest memory made of mapped regions, added and removed while the device runs."""

    def __init__(self) -> None:
        #: By address, and where each begins.
        self._regions: list[_Region] = []
        self._bases: list[int] = []
        #: Where the last access went: the next one is likely to go there as well.
        self._last: _Region | None = None

    def map(self, base: int, memory: memoryview, *, writable: bool = True, mapping: mmap.mmap | None = None) -> None:
        """Add memory (format B) at a bus address. Raises ValueError when it overlaps what is there.

        ``mapping`` is closed with the region; without it the memory stays the caller's.
        """
        end, at = base + len(memory), bisect_right(self._bases, base)
        if any(region.base < end and base < region.end for region in self._regions[max(at - 1, 0) : at + 1]):
            raise ValueError(f"{base:#x}..{end:#x} overlaps memory that is mapped already")
        self._regions.insert(at, _Region(base, memory[:], writable, mapping))
        self._bases.insert(at, base)

    def unmap(self, base: int, size: int) -> bool:
        """Remove the regions that lie inside base..base+size; False when there was none."""
        gone = [region for region in self._regions if base <= region.base and region.end <= base + size]
        self._keep([region for region in self._regions if region not in gone])
        for region in gone:
            region.release()
        return bool(gone)

    def clear(self) -> None:
        """Remove everything."""
        regions = self._regions
        self._keep([])
        for region in regions:
            region.release()

    def _keep(self, regions: list[_Region]) -> None:
        self._regions, self._bases, self._last = regions, [region.base for region in regions], None

    def _find(self, address: int, size: int) -> _Region:
        last = self._last
        if last is not None and last.base <= address < last.end:
            return last
        at = bisect_right(self._bases, address) - 1
        if at >= 0 and address < self._regions[at].end:
            self._last = self._regions[at]
            return self._regions[at]
        raise DriverFault(f"the driver gave an address that is no memory: {size:#x} bytes at {address:#x}")

    def _whole(self, address: int) -> _Region:
        """Where a ring field of 16 bits lies. It is accessed as such: it does not lie in two regions."""
        region = self._find(address, 2)
        if (address - region.base) & 1 or address + 2 > region.end:
            raise DriverFault(f"a 16-bit ring field at {address:#x}, which is odd or where memory ends")
        return region

    def read(self, address: int, size: int) -> bytes:
        """See :class:`GuestMemory`."""
        pieces: list[bytes] = []
        while size:
            region = self._find(address, size)
            piece = bytes(region.bytes[address - region.base : address - region.base + size])
            if len(piece) == size and not pieces:
                return piece
            pieces.append(piece)
            address, size = region.end, size - len(piece)
        return b"".join(pieces)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """See :class:`GuestMemory`."""
        left = memoryview(data)
        while len(left):
            region = self._find(address, len(left))
            if not region.writable:
                raise DriverFault(f"the driver asked for a write to read-only memory at {address:#x}")
            piece = left[: region.end - address]
            region.bytes[address - region.base : address - region.base + len(piece)] = piece
            address, left = region.end, left[len(piece) :]

    def load16(self, address: int) -> int:
        """See :class:`GuestMemory`."""
        region = self._whole(address)
        return region.words[(address - region.base) >> 1]

    def store16(self, address: int, value: int) -> None:
        """See :class:`GuestMemory`."""
        region = self._whole(address)
        if not region.writable:
            raise DriverFault(f"a 16-bit ring field cannot be written at {address:#x}")
        region.words[(address - region.base) >> 1] = value


class GatedMemory:
    """Memory behind the bus master bit: without it a PCI function cannot reach memory at all."""

    def __init__(self, memory: GuestMemory, allowed: Callable[[], bool]) -> None:
        self._memory = memory
        self._allowed = allowed

    def _check(self, address: int) -> None:
        if not self._allowed():
            raise DriverFault(f"memory access to {address:#x} while the bus master bit is off in the command register")

    def read(self, address: int, size: int) -> bytes:
        """See :class:`GuestMemory`."""
        self._check(address)
        return self._memory.read(address, size)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """See :class:`GuestMemory`."""
        self._check(address)
        self._memory.write(address, data)

    def load16(self, address: int) -> int:
        """See :class:`GuestMemory`."""
        self._check(address)
        return self._memory.load16(address)

    def store16(self, address: int, value: int) -> None:
        """See :class:`GuestMemory`."""
        self._check(address)
        self._memory.store16(address, value)
