"""What both ring formats have in common on the device side: descriptor chains, and what a ring offers.

A chain is kept as the addresses and lengths that its descriptors gave; data is copied through guest memory when it is
asked for, so nothing here outlives the driver's right to change its mind.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Protocol

from ..access.fence import ordering_fence
from ..spec import split
from .memory import DriverFault, GuestMemory

__all__ = ["DESCRIPTOR", "LONGEST", "Areas", "Chain", "Element", "Elements", "Ring", "need_event"]

#: Bytes that a device here reads from one buffer at once: descriptors may overlap, so memory is no limit.
LONGEST = 1 << 20
#: One buffer element: bus address and length in bytes.
Element = tuple[int, int]
#: A descriptor of either format: address, length, then flags and next (2.7.5), or buffer id and flags (2.8.13).
DESCRIPTOR = struct.Struct("<QIHH")


class Chain:
    """One buffer that the driver made available: its elements, readable ones first (virtio 1.4, 2.7.4.2)."""

    __slots__ = ("count", "id", "memory", "readable", "writable")

    def __init__(
        self,
        memory: GuestMemory,
        identifier: int,
        readable: list[Element],
        writable: list[Element],
        *,
        count: int = 1,
    ) -> None:
        self.memory = memory
        self.id = identifier
        self.readable = readable
        self.writable = writable
        #: Descriptors that it takes in the ring itself.
        self.count = count

    @property
    def readable_size(self) -> int:
        """Bytes that the device may read."""
        return sum(length for _, length in self.readable)

    @property
    def writable_size(self) -> int:
        """Bytes that the device may write."""
        return sum(length for _, length in self.writable)

    def read(self, offset: int = 0, size: int | None = None) -> bytes:
        """The device-readable bytes from an offset on, however the driver cut them up (2.7.4.1)."""
        left = self.readable_size - offset if size is None else size
        if left > LONGEST:
            raise DriverFault(f"a request of {left} bytes; this device takes {LONGEST} at once")
        pieces = []
        for address, length in self.readable:
            if offset < length and left > 0:
                part = min(length - offset, left)
                pieces.append(self.memory.read(address + offset, part))
                left -= part
                offset = 0
            else:
                offset = max(0, offset - length)
        return b"".join(pieces)

    def write(self, data: bytes | bytearray | memoryview, offset: int = 0) -> int:
        """Put bytes into the device-writable part from an offset on; returns how many found room."""
        view = memoryview(data)
        done = 0
        for address, length in self.writable:
            if offset < length and done < len(view):
                part = min(length - offset, len(view) - done)
                self.memory.write(address + offset, view[done : done + part])
                done += part
                offset = 0
            else:
                offset = max(0, offset - length)
        return done


class Ring(Protocol):
    """The device's end of one virtqueue."""

    def pop(self) -> Chain | None:
        """Take the next available buffer, None when there is none. Raises :class:`DriverFault` for nonsense."""

    def push(self, chain: Chain, written: int, skipped: Sequence[Chain] = ()) -> None:
        """Give a buffer back as used, ``written`` bytes having been written to it.

        With IN_ORDER it may stand for those ``skipped`` before it as well, each of them used completely (2.7.9,
        2.8.8).
        """

    def wants_interrupt(self) -> bool:
        """Whether the driver wants to be told about what was pushed since this was last asked."""

    def available(self) -> bool:
        """Whether :meth:`pop` would give something."""

    def plausible(self, following: int) -> bool:
        """Whether the 16 bits of a notification's next_off and next_wrap (2.9) agree with the ring."""

    def rewind(self) -> None:
        """Lose the last step: what was consumed last is looked for again (only a broken device does that)."""

    def state(self) -> dict[str, int]:
        """Positions, for the log and the control socket."""


class Elements:
    """The elements of a buffer as a ring gives them, one descriptor after the other."""

    __slots__ = ("readable", "writable")

    def __init__(self) -> None:
        self.readable: list[Element] = []
        self.writable: list[Element] = []

    def add(self, address: int, length: int, flags: int) -> None:
        """One more. Raises :class:`DriverFault` for a readable one behind a writable one (2.7.4.2, 2.8.17)."""
        if flags & split.DESC_F_WRITE:
            self.writable.append((address, length))
        elif self.writable:
            raise DriverFault("a device-readable descriptor after a device-writable one (2.7.4.2, 2.8.17)")
        else:
            self.readable.append((address, length))


class Areas:
    """A ring's three areas at bus addresses (2.6): descriptors, what the driver writes, what the device writes."""

    def __init__(
        self,
        memory: GuestMemory,
        size: int,
        descriptors: int,
        driver: int,
        device: int,
        *,
        event_idx: bool,
        indirect: bool,
    ) -> None:
        self._memory = memory
        self._size = size
        self._descriptors = descriptors
        self._driver = driver
        self._device = device
        self._event_idx = event_idx
        self._indirect = indirect
        #: Keeps stores among each other and loads among each other in order, where the CPU does not.
        self._order = ordering_fence()

    def _fence(self) -> None:
        """Keep what was read and written before what will be, where the CPU does not by itself."""
        if self._order is not None:
            self._order()

    def _descriptor(self, position: int) -> tuple[int, int, int, int]:
        """A descriptor of the ring, as :data:`DESCRIPTOR` gives it."""
        data = self._memory.read(self._descriptors + split.DESC_SIZE * position, split.DESC_SIZE)
        address, length, third, fourth = DESCRIPTOR.unpack(data)
        return address, length, third, fourth

    def _table(self, address: int, length: int) -> list[tuple[int, int, int, int]]:
        """The entries of an indirect table. Raises :class:`DriverFault` for one that may not be, or is nonsense."""
        if not self._indirect:
            raise DriverFault("an indirect descriptor, but INDIRECT_DESC was not negotiated")
        if length == 0 or length % split.DESC_SIZE or length // split.DESC_SIZE > self._size:
            raise DriverFault(f"an indirect table of {length} bytes (16 bytes an entry, at most {self._size} entries)")
        return list(DESCRIPTOR.iter_unpack(self._memory.read(address, length)))


def need_event(event: int, new: int, old: int) -> bool:
    """Whether moving an index from ``old`` to ``new`` passes ``event``, all modulo 2^16 (2.7.10)."""
    return (new - event - 1) & 0xFFFF < (new - old) & 0xFFFF
