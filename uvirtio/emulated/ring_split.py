"""The device's end of a split virtqueue (virtio 1.4, 2.7)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ..spec import split
from .memory import DriverFault, GuestMemory
from .ring import DESCRIPTOR, Chain, Element, need_event, read_table

__all__ = ["SplitRing"]

_USED = struct.Struct("<II")


class SplitRing:
    """Descriptor table, available ring and used ring at three bus addresses."""

    def __init__(
        self,
        memory: GuestMemory,
        size: int,
        descriptors: int,
        available: int,
        used: int,
        *,
        event_idx: bool,
        indirect: bool,
    ) -> None:
        self._memory = memory
        self._size = size
        self._descriptors = descriptors
        self._available = available
        self._used = used
        self._event_idx = event_idx
        self._indirect = indirect
        self.next_available = 0
        self.next_used = 0
        self._told = 0
        self._moved = False

    def available(self) -> bool:
        """See :class:`Ring`."""
        return self._memory.load16(self._available + split.AVAIL_IDX) != self.next_available

    def pop(self) -> Chain | None:
        """See :class:`Ring`."""
        memory = self._memory
        index = memory.load16(self._available + split.AVAIL_IDX)
        waiting = (index - self.next_available) & 0xFFFF
        if waiting > self._size:
            raise DriverFault(
                f"the available index jumped from {self.next_available} to {index} in a queue of {self._size}"
            )
        if waiting == 0:
            return None
        head = memory.load16(self._available + split.AVAIL_RING + 2 * (self.next_available % self._size))
        chain = self._walk(head)
        self.next_available = (self.next_available + 1) & 0xFFFF
        self._moved = True
        if self._event_idx:
            # Ask to be told about the next one (2.7.10): avail_event stands behind the used ring.
            memory.store16(self._used + split.USED_RING + split.USED_ELEMENT_SIZE * self._size, self.next_available)
        return chain

    def _walk(self, head: int) -> Chain:
        readable: list[Element] = []
        writable: list[Element] = []
        index, steps = head, 0
        while True:
            if index >= self._size:
                raise DriverFault(f"descriptor {index} in a queue of {self._size}")
            steps += 1
            if steps > self._size:
                raise DriverFault(f"the descriptor chain from {head} is longer than the queue: a loop")
            address, length, flags, following = DESCRIPTOR.unpack(
                self._memory.read(self._descriptors + split.DESC_SIZE * index, split.DESC_SIZE)
            )
            if flags & split.DESC_F_INDIRECT:
                if not self._indirect:
                    raise DriverFault("an indirect descriptor, but INDIRECT_DESC was not negotiated")
                if flags & split.DESC_F_NEXT:
                    raise DriverFault("a descriptor with both INDIRECT and NEXT (2.7.5.3.1)")
                self._walk_table(address, length, readable, writable)
            else:
                _element(address, length, flags, readable, writable)
            if not flags & split.DESC_F_NEXT:
                return Chain(self._memory, head, readable, writable, count=steps)
            index = following

    def _walk_table(self, address: int, length: int, readable: list[Element], writable: list[Element]) -> None:
        table = read_table(self._memory, address, length, self._size)
        index = 0
        for _ in range(len(table)):
            element, size, flags, following = table[index]
            if flags & split.DESC_F_INDIRECT:
                raise DriverFault("an indirect descriptor inside of an indirect table (2.7.5.3.1)")
            _element(element, size, flags, readable, writable)
            if not flags & split.DESC_F_NEXT:
                return
            index = following
            if index >= len(table):
                raise DriverFault(f"next is {index} in an indirect table of {len(table)} entries")
        raise DriverFault("the chain in an indirect table is a loop")

    def push(self, chain: Chain, written: int, skipped: Sequence[Chain] = ()) -> None:
        """See :class:`Ring`."""
        slot = self._used + split.USED_RING + split.USED_ELEMENT_SIZE * (self.next_used % self._size)
        self._memory.write(slot, _USED.pack(chain.id, written))
        self.next_used = (self.next_used + 1 + len(skipped)) & 0xFFFF
        self._memory.store16(self._used + split.USED_IDX, self.next_used)

    def wants_interrupt(self) -> bool:
        """See :class:`Ring`."""
        told, self._told = self._told, self.next_used
        if told == self.next_used:
            return False
        if self._event_idx:
            event = self._memory.load16(self._available + split.AVAIL_RING + 2 * self._size)
            return need_event(event, self.next_used, told)
        return not self._memory.load16(self._available + split.AVAIL_FLAGS) & split.AVAIL_F_NO_INTERRUPT

    def plausible(self, following: int) -> bool:
        """See :class:`Ring`: here it is the available index, and not beyond the one in memory."""
        index = self._memory.load16(self._available + split.AVAIL_IDX)
        return (index - following) & 0xFFFF <= self._size

    def rewind(self) -> None:
        """See :class:`Ring`."""
        if self._moved:
            self.next_available = (self.next_available - 1) & 0xFFFF

    def state(self) -> dict[str, int]:
        """See :class:`Ring`."""
        return {"next_available": self.next_available, "next_used": self.next_used}


def _element(address: int, length: int, flags: int, readable: list[Element], writable: list[Element]) -> None:
    if flags & split.DESC_F_WRITE:
        writable.append((address, length))
    elif writable:
        raise DriverFault("a device-readable descriptor after a device-writable one (2.7.4.2)")
    else:
        readable.append((address, length))
