"""The device's end of a split virtqueue (virtio 1.4, 2.7)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ..spec import split
from .memory import DriverFault, GuestMemory
from .ring import Areas, Chain, Elements, need_event

__all__ = ["SplitRing"]

_USED = struct.Struct("<II")


class SplitRing(Areas):
    """Descriptor table, available ring (the driver's area) and used ring (the device's)."""

    STATE = ("next_available", "next_used", "_told", "_moved")

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
        super().__init__(memory, size, descriptors, available, used, event_idx=event_idx, indirect=indirect)
        self.next_available = 0
        self.next_used = 0
        self._told = 0
        self._moved = False

    def available(self) -> bool:
        """See :class:`Ring`."""
        return self._memory.load16(self._driver + split.AVAIL_IDX) != self.next_available

    def pop(self) -> Chain | None:
        """See :class:`Ring`."""
        memory = self._memory
        index = memory.load16(self._driver + split.AVAIL_IDX)
        waiting = (index - self.next_available) & 0xFFFF
        if waiting > self._size:
            raise DriverFault(
                f"the available index jumped from {self.next_available} to {index} in a queue of {self._size}"
            )
        if waiting == 0:
            return None
        self._fence()  # the entry, the descriptors and the buffer are looked at after the index
        head = memory.load16(self._driver + split.AVAIL_RING + 2 * (self.next_available % self._size))
        chain = self._walk(head)
        self.next_available = (self.next_available + 1) & 0xFFFF
        self._moved = True
        if self._event_idx:
            # Ask to be told about the next one (2.7.10): avail_event stands behind the used ring.
            memory.store16(self._device + split.USED_RING + split.USED_ELEMENT_SIZE * self._size, self.next_available)
            self._fence()  # the index is looked at again after that
        return chain

    def _walk(self, head: int) -> Chain:
        elements = Elements()
        index, steps = head, 0
        while True:
            if index >= self._size:
                raise DriverFault(f"descriptor {index} in a queue of {self._size}")
            steps += 1
            if steps > self._size:
                raise DriverFault(f"the descriptor chain from {head} is longer than the queue: a loop")
            address, length, flags, following = self._descriptor(index)
            if flags & split.DESC_F_INDIRECT:
                table = self._table(address, length)
                if flags & split.DESC_F_NEXT:
                    raise DriverFault("a descriptor with both INDIRECT and NEXT (2.7.5.3.1)")
                _walk_table(table, elements)
            else:
                elements.add(address, length, flags)
            if not flags & split.DESC_F_NEXT:
                return Chain(self._memory, head, elements.readable, elements.writable, count=steps)
            index = following

    def push(self, chain: Chain, written: int, skipped: Sequence[Chain] = ()) -> None:
        """See :class:`Ring`."""
        slot = self._device + split.USED_RING + split.USED_ELEMENT_SIZE * (self.next_used % self._size)
        self._memory.write(slot, _USED.pack(chain.id, written))
        self.next_used = (self.next_used + 1 + len(skipped)) & 0xFFFF
        self._fence()  # the element and what lies in the buffer are there first
        self._memory.store16(self._device + split.USED_IDX, self.next_used)

    def wants_interrupt(self) -> bool:
        """See :class:`Ring`."""
        told, self._told = self._told, self.next_used
        if told == self.next_used:
            return False
        self._fence()  # what was used is there before it is looked whether the driver wants to know
        if self._event_idx:
            event = self._memory.load16(self._driver + split.AVAIL_RING + 2 * self._size)
            return need_event(event, self.next_used, told)
        return not self._memory.load16(self._driver + split.AVAIL_FLAGS) & split.AVAIL_F_NO_INTERRUPT

    def plausible(self, following: int) -> bool:
        """See :class:`Ring`: here it is the available index, and not beyond the one in memory."""
        index = self._memory.load16(self._driver + split.AVAIL_IDX)
        return (index - following) & 0xFFFF <= self._size

    def rewind(self) -> None:
        """See :class:`Ring`."""
        if self._moved:
            self.next_available = (self.next_available - 1) & 0xFFFF

    def state(self) -> dict[str, int]:
        """See :class:`Ring`."""
        return {"next_available": self.next_available, "next_used": self.next_used}


def _walk_table(table: list[tuple[int, int, int, int]], elements: Elements) -> None:
    """Follow the chain in an indirect table from its first entry on (2.7.5.3)."""
    index = 0
    for _ in range(len(table)):
        address, length, flags, following = table[index]
        if flags & split.DESC_F_INDIRECT:
            raise DriverFault("an indirect descriptor inside of an indirect table (2.7.5.3.1)")
        elements.add(address, length, flags)
        if not flags & split.DESC_F_NEXT:
            return
        index = following
        if index >= len(table):
            raise DriverFault(f"next is {index} in an indirect table of {len(table)} entries")
    raise DriverFault("the chain in an indirect table is a loop")
