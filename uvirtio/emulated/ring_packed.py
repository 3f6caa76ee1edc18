"""The device's end of a packed virtqueue (virtio 1.4, 2.8)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ..spec import packed
from .memory import DriverFault, GuestMemory
from .ring import Areas, Chain, Elements, need_event

__all__ = ["PackedRing"]

_FLAGS = 14
_LENGTH = 8
_LENGTH_AND_ID = struct.Struct("<IH")
#: Offsets in the event suppression structure (2.8.14).
_EVENT_DESC, _EVENT_FLAGS = 0, 2


class _Cursor:
    """A place in the ring and the wrap counter that goes with it."""

    __slots__ = ("position", "wrap")
    STATE = ("position", "wrap")

    def __init__(self) -> None:
        self.position = 0
        self.wrap = 1

    def step(self, count: int, size: int) -> None:
        self.position += count
        if self.position >= size:
            self.position -= size
            self.wrap ^= 1


class PackedRing(Areas):
    """The descriptor ring, the driver's and the device's event suppression structures."""

    STATE = ("_next", "_used", "_told", "_last_count")

    def __init__(
        self, memory: GuestMemory, size: int, descriptors: int, driver_events: int, device_events: int, *, event_idx: bool,
        indirect: bool,
    ) -> None:  # fmt: skip
        super().__init__(
            memory, size, descriptors, driver_events, device_events, event_idx=event_idx, indirect=indirect
        )
        self._next = _Cursor()
        self._used = _Cursor()
        self._told = (0, 1)
        self._last_count = 0

    def _flags(self, position: int) -> int:
        return self._memory.load16(self._descriptors + packed.DESC_SIZE * position + _FLAGS)

    def _is_available(self, flags: int, wrap: int) -> bool:
        """The available bit equals the wrap counter, the used bit does not (2.8.1)."""
        available, used = bool(flags & packed.DESC_F_AVAIL), bool(flags & packed.DESC_F_USED)
        return available == bool(wrap) and used != bool(wrap)

    def available(self) -> bool:
        """See :class:`Ring`."""
        return self._is_available(self._flags(self._next.position), self._next.wrap)

    def pop(self) -> Chain | None:
        """See :class:`Ring`."""
        if not self.available():
            return None
        self._fence()  # all else of it is looked at after its flags
        elements = Elements()
        count = 0
        cursor = _Cursor()
        cursor.position, cursor.wrap = self._next.position, self._next.wrap
        while True:
            address, length, identifier, flags = self._descriptor(cursor.position)
            if not self._is_available(flags, cursor.wrap):
                raise DriverFault(
                    f"descriptor {cursor.position} of a list is not available, but its first one is (2.8.6)"
                )
            count += 1
            if flags & packed.DESC_F_INDIRECT:
                table = self._table(address, length)
                if flags & packed.DESC_F_NEXT or count > 1:
                    raise DriverFault("an indirect descriptor in a list linked by NEXT (2.8.19)")
                for element, size, _, kind in table:
                    elements.add(element, size, kind)
            else:
                elements.add(address, length, flags)
            cursor.step(1, self._size)
            if not flags & packed.DESC_F_NEXT:
                break
            if count == self._size:
                raise DriverFault("a descriptor list longer than the queue (2.8.17)")
        self._next.step(count, self._size)
        self._last_count = count
        if self._event_idx:
            # Ask to be told about the next one; the offset before the flags that make it count.
            place = self._next.position | (packed.EVENT_WRAP if self._next.wrap else 0)
            self._memory.store16(self._device + _EVENT_DESC, place)
            self._memory.store16(self._device + _EVENT_FLAGS, packed.RING_EVENT_DESC)
            self._fence()  # the ring is looked at again after that
        return Chain(self._memory, identifier, elements.readable, elements.writable, count=count)

    def push(self, chain: Chain, written: int, skipped: Sequence[Chain] = ()) -> None:
        """See :class:`Ring`."""
        at = self._descriptors + packed.DESC_SIZE * self._used.position
        self._memory.write(at + _LENGTH, _LENGTH_AND_ID.pack(written, chain.id))
        self._fence()  # what lies in the buffer is there first
        flags = packed.DESC_F_AVAIL | packed.DESC_F_USED if self._used.wrap else 0
        self._memory.store16(at + _FLAGS, flags | (packed.DESC_F_WRITE if written else 0))
        self._used.step(chain.count + sum(other.count for other in skipped), self._size)

    def wants_interrupt(self) -> bool:
        """See :class:`Ring`."""
        (position, wrap), self._told = self._told, (self._used.position, self._used.wrap)
        if (position, wrap) == self._told:
            return False
        self._fence()  # what was used is there before it is looked whether the driver wants to know
        flags = self._memory.load16(self._driver + _EVENT_FLAGS) & 3
        if flags != packed.RING_EVENT_DESC or not self._event_idx:
            return flags != packed.RING_EVENT_DISABLE
        event = self._memory.load16(self._driver + _EVENT_DESC)
        # Places of the lap before are counted below zero, so that one comparison serves.
        offset = event & ~packed.EVENT_WRAP
        if bool(event & packed.EVENT_WRAP) != bool(self._used.wrap):
            offset -= self._size
        old = position if wrap == self._used.wrap else position - self._size
        return need_event(offset, self._used.position, old)

    def plausible(self, following: int) -> bool:
        """See :class:`Ring`: an offset inside of the ring."""
        return following & ~packed.EVENT_WRAP < self._size

    def rewind(self) -> None:
        """See :class:`Ring`."""
        self._next.position -= self._last_count
        self._last_count = 0
        if self._next.position < 0:
            self._next.position += self._size
            self._next.wrap ^= 1

    def state(self) -> dict[str, int]:
        """See :class:`Ring`."""
        return {
            "next_available": self._next.position,
            "available_wrap": self._next.wrap,
            "next_used": self._used.position,
            "used_wrap": self._used.wrap,
        }
