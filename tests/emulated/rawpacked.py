"""A packed ring for the tests, straight from the specification; it keeps its own idea of what is where."""

from __future__ import annotations

import struct

from .raw import NOTIFY, Raw

PACKED = 34
AVAIL, USED, NEXT, WRITE, INDIRECT = 1 << 7, 1 << 15, 1, 2, 4


class RawPacked:
    """``descriptors`` and the two event suppression structures in memory of their own."""

    def __init__(self, raw: Raw, index: int, size: int) -> None:
        self.raw, self.index, self.size = raw, index, size
        self.ring = raw.bus.dma.allocate(16 * size, 16)
        self.driver = raw.bus.dma.allocate(4, 4)
        self.device = raw.bus.dma.allocate(4, 4)
        self.next, self.wrap = 0, 1
        self.used, self.used_wrap = 0, 1
        self.lengths: dict[int, int] = {}
        self.free = list(range(size))
        self.order: list[int] = []

    def publish(self, *buffers: tuple[int, int, int]) -> int:
        """One list of (address, length, flags) descriptors; returns its buffer id."""
        identifier = self.free.pop(0)
        first, last = None, len(buffers) - 1
        for position, (address, length, flags) in enumerate(buffers):
            flags |= (NEXT if position < last else 0) | (AVAIL if self.wrap else USED)
            entry = struct.pack("<QIHH", address, length, identifier if position == last else 0xEEEE, flags)
            at = 16 * self.next
            if first is None:
                first = (at + 14, entry[14:])
                entry = entry[:14]
            self.ring.memory[at : at + len(entry)] = entry
            self.next += 1
            if self.next == self.size:
                self.next, self.wrap = 0, self.wrap ^ 1
        assert first is not None
        self.ring.memory[first[0] : first[0] + 2] = first[1]
        self.lengths[identifier] = len(buffers)
        self.order.append(identifier)
        return identifier

    def used_entries(self, *, in_order: bool = False) -> list[tuple[int, int]]:
        """(id, length) of what has been used since; with ``in_order`` an entry stands for those before it too."""
        entries = []
        while True:
            _, length, identifier, flags = struct.unpack_from("<QIHH", self.ring.memory, 16 * self.used)
            if not (bool(flags & AVAIL) == bool(flags & USED) == bool(self.used_wrap)):
                return entries
            gone = self.order[: self.order.index(identifier) + 1] if in_order else [identifier]
            for one in gone:
                self.order.remove(one)
                self.used += self.lengths.pop(one)
                self.free.append(one)
            if self.used >= self.size:
                self.used, self.used_wrap = self.used - self.size, self.used_wrap ^ 1
            entries.append((identifier, length if flags & WRITE else 0))

    def kick(self) -> None:
        offset = self.raw.r16(0x1E, select=self.index)
        self.raw.bar.write(NOTIFY + 4 * offset, 2, self.index)


def bring_up(raw: Raw, *bits: int, size: int = 16) -> RawPacked:
    assert raw.negotiate(PACKED, *bits) == 0x0B
    queue = RawPacked(raw, 0, size)
    raw.r16(0x18, select=0)
    raw.bar.write(0x18, 2, size)
    for register, dma in ((0x20, queue.ring), (0x28, queue.driver), (0x30, queue.device)):
        raw.bar.write(register, 4, dma.address & 0xFFFFFFFF)
        raw.bar.write(register + 4, 4, dma.address >> 32)
    raw.bar.write(0x1C, 2, 1)
    raw.set_status(0x0F)
    return queue
