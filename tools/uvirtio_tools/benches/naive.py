"""Ring drivers as one writes them first: fields through struct, everything per buffer, an index store for each.

They are correct and deliberately not clever: what the batches and pools of :mod:`uvirtio.queue` are compared with.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from uvirtio.access.dma import Dma, DmaMemory
from uvirtio.spec import packed, split

__all__ = ["NaivePacked", "NaiveSplit"]


@dataclass
class _Buffer:
    dma: Dma
    length: int = 0


class NaiveSplit:
    """A split ring, field by field."""

    def __init__(self, size: int, dma: DmaMemory) -> None:
        self.size = size
        self.descriptors = dma.allocate(split.DESC_SIZE * size, split.DESC_ALIGN)
        self.avail = dma.allocate(split.avail_size(size), split.AVAIL_ALIGN)
        self.used = dma.allocate(split.used_size(size), split.USED_ALIGN)
        self.free = list(range(size))
        self.flying: dict[int, _Buffer] = {}
        self.last_used = 0

    def add(self, dma: Dma) -> None:
        """One writable buffer, visible at once."""
        head = self.free.pop(0)
        struct.pack_into(
            "<QIHH", self.descriptors.memory, split.DESC_SIZE * head, dma.address, dma.size, split.DESC_F_WRITE, 0
        )
        (index,) = struct.unpack_from("<H", self.avail.memory, split.AVAIL_IDX)
        struct.pack_into("<H", self.avail.memory, split.AVAIL_RING + 2 * (index % self.size), head)
        struct.pack_into("<H", self.avail.memory, split.AVAIL_IDX, (index + 1) & 0xFFFF)
        self.flying[head] = _Buffer(dma)

    def wants_notification(self) -> bool:
        """What the device's flags say."""
        (flags,) = struct.unpack_from("<H", self.used.memory, split.USED_FLAGS)
        return not flags & split.USED_F_NO_NOTIFY

    def completed(self) -> list[_Buffer]:
        """Everything that came back."""
        done = []
        while self.last_used != struct.unpack_from("<H", self.used.memory, split.USED_IDX)[0]:
            at = split.USED_RING + split.USED_ELEMENT_SIZE * (self.last_used % self.size)
            head, length = struct.unpack_from("<II", self.used.memory, at)
            buffer = self.flying.pop(head)
            buffer.length = length
            done.append(buffer)
            self.free.append(head)
            self.last_used = (self.last_used + 1) & 0xFFFF
        return done


class NaivePacked:
    """A packed ring, field by field."""

    def __init__(self, size: int, dma: DmaMemory) -> None:
        self.size = size
        self.ring = dma.allocate(packed.DESC_SIZE * size, packed.DESC_ALIGN)
        self.device_event = dma.allocate(packed.EVENT_SIZE, packed.EVENT_ALIGN)
        self.free = list(range(size))
        self.flying: dict[int, _Buffer] = {}
        self.next_avail, self.avail_wrap = 0, True
        self.next_used, self.used_wrap = 0, True

    def add(self, dma: Dma) -> None:
        """One writable buffer, visible at once."""
        token = self.free.pop(0)
        at = packed.DESC_SIZE * self.next_avail
        flags = packed.DESC_F_WRITE | (packed.DESC_F_AVAIL if self.avail_wrap else packed.DESC_F_USED)
        struct.pack_into("<QIH", self.ring.memory, at, dma.address, dma.size, token)
        struct.pack_into("<H", self.ring.memory, at + 14, flags)
        self.next_avail += 1
        if self.next_avail == self.size:
            self.next_avail, self.avail_wrap = 0, not self.avail_wrap
        self.flying[token] = _Buffer(dma)

    def wants_notification(self) -> bool:
        """What the device's event structure says."""
        _, flags = struct.unpack_from("<HH", self.device_event.memory)
        return bool(flags != packed.RING_EVENT_DISABLE)

    def completed(self) -> list[_Buffer]:
        """Everything that came back."""
        done = []
        while self.flying:
            length, token, flags = struct.unpack_from("<IHH", self.ring.memory, packed.DESC_SIZE * self.next_used + 8)
            available, used = bool(flags & packed.DESC_F_AVAIL), bool(flags & packed.DESC_F_USED)
            if available != used or used != self.used_wrap:
                break
            buffer = self.flying.pop(token)
            buffer.length = length
            done.append(buffer)
            self.free.append(token)
            self.next_used += 1
            if self.next_used == self.size:
                self.next_used, self.used_wrap = 0, not self.used_wrap
        return done
