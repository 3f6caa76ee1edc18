"""Memory that both the driver and the device see.

A bus address is not an offset and not a process address; nothing but ``Dma.address`` gives one. Memory belongs to
the device from the moment a buffer is published until it is used or the device has been reset *and* read back 0.
"""

from __future__ import annotations

from typing import Protocol

from ..errors import CannotRun

__all__ = ["Arena", "Dma", "DmaMemory", "Owner"]


class Owner(Protocol):
    """What pieces of memory are given back to."""

    def release(self, dma: Dma) -> None:
        """Take a piece back."""


class Dma:
    """A piece of DMA memory: ``memory`` (memoryview of bytes), its bus ``address``, its ``size`` in bytes."""

    __slots__ = ("_owner", "address", "memory", "offset", "size")

    def __init__(self, owner: Owner | None, memory: memoryview, address: int, offset: int) -> None:
        self._owner = owner
        self.memory = memory
        self.address = address
        self.offset = offset
        self.size = len(memory)

    def part(self, offset: int, size: int) -> Dma:
        """A part of it, sharing the memory; freeing the whole is the owner's business."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise ValueError(f"part {offset:#x}+{size:#x} is outside of {self.size:#x} bytes")
        return Dma(None, self.memory[offset : offset + size], self.address + offset, self.offset + offset)

    def free(self) -> None:
        """Give it back. Only when the device cannot reach it any more."""
        if self._owner is not None:
            owner, self._owner = self._owner, None
            owner.release(self)


class DmaMemory(Protocol):
    """What a bus gives: memory with bus addresses."""

    def allocate(self, size: int, alignment: int = 64, residue: int = 0) -> Dma:
        """``size`` zeroed bytes at an address that is ``residue`` more than a multiple of ``alignment`` (a power of two)."""

    def verify(self) -> None:
        """Raise :class:`CannotRun` unless every bus address given out still holds; before queues are enabled."""

    def close(self) -> None:
        """Release everything. The device must have been reset before."""


class Arena:
    """First-fit allocation out of contiguous chunks, each with one bus address. ``grow(size)`` adds a chunk.

    A piece that is given back waits for the next request of its size, which is the common case; pieces are joined when
    there is no room otherwise. Subclasses give :meth:`grow`, which returns the chunk's memory and bus address, contiguous
    for the device.
    """

    def __init__(self) -> None:
        self._free: list[tuple[int, int, int]] = []  # (chunk, start, end), sorted
        self._waiting: dict[int, list[tuple[int, int]]] = {}  # by size: (chunk, start)
        self._chunks: list[tuple[memoryview, int]] = []

    def grow(self, size: int) -> tuple[memoryview, int]:
        """At least ``size`` contiguous bytes: (memory, bus address). Raises :class:`CannotRun` when there are none."""
        raise NotImplementedError

    def allocate(self, size: int, alignment: int = 64, residue: int = 0) -> Dma:
        """See :class:`DmaMemory`."""
        if size <= 0 or alignment & (alignment - 1):
            raise ValueError(f"cannot allocate {size} bytes aligned to {alignment}")
        if waiting := self._waiting.get(size):
            chunk, first = waiting[-1]
            if not (self._chunks[chunk][1] + first - residue) % alignment:
                waiting.pop()
                return self._piece(chunk, first, size)
        found = self._first_fit(size, alignment, residue)
        if found is None and self._join():
            found = self._first_fit(size, alignment, residue)
        if found is None:
            memory, base = self.grow(size + alignment)
            self._chunks.append((memory, base))
            self._free.append((len(self._chunks) - 1, 0, len(memory)))
            found = self._first_fit(size, alignment, residue)
        if found is None:
            raise CannotRun(f"no room for {size} contiguous bytes of DMA memory; ask for smaller queues or buffers")
        return found

    def _first_fit(self, size: int, alignment: int, residue: int) -> Dma | None:
        for position, (chunk, start, end) in enumerate(self._free):
            first = start + (residue - self._chunks[chunk][1] - start) % alignment
            if first + size <= end:
                rest = [(chunk, start, first), (chunk, first + size, end)]
                self._free[position : position + 1] = [piece for piece in rest if piece[1] < piece[2]]
                return self._piece(chunk, first, size)
        return None

    def _piece(self, chunk: int, first: int, size: int) -> Dma:
        memory, base = self._chunks[chunk]
        piece = memory[first : first + size]
        piece[:] = bytes(size)
        return Dma(self, piece, base + first, (chunk << 40) | first)

    def _join(self) -> bool:
        """Join all that waits with its free neighbours; whether anything did."""
        back = [(chunk, start, start + size) for size, pieces in self._waiting.items() for chunk, start in pieces]
        self._waiting.clear()
        joined: list[tuple[int, int, int]] = []
        for piece in sorted(self._free + back):
            if joined and joined[-1][0] == piece[0] and joined[-1][2] == piece[1]:
                joined[-1] = (piece[0], joined[-1][1], piece[2])
            else:
                joined.append(piece)
        self._free = joined
        return bool(back)

    def verify(self) -> None:
        """See :class:`DmaMemory`. Nothing to do where memory cannot move."""

    def release(self, dma: Dma) -> None:
        """Take a piece back."""
        self._waiting.setdefault(dma.size, []).append((dma.offset >> 40, dma.offset & ((1 << 40) - 1)))
