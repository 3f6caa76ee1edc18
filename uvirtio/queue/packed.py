"""The packed virtqueue, driver side: buffers of any shape, one id each (virtio 1.4, 2.8).

The device overwrites descriptors with its own, so the ring says nothing about a buffer in flight: what is needed to check and
free it is kept here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import ClassVar

from ..access.dma import Dma, DmaMemory
from ..spec import packed as spec
from ..spec.features import Feature, Features
from .base import CHAIN_LIMIT, NOTHING, check_parts
from .packed_pool import PackedPool
from .packed_ring import AVAILABLE, FLAGS_SHIFT, ID_SHIFT, USED, USED_MASK, PackedRing

__all__ = ["PackedQueue"]

_LOW32 = 0xFFFF_FFFF
_NEXT = spec.DESC_F_NEXT << FLAGS_SHIFT
_WRITE = spec.DESC_F_WRITE << FLAGS_SHIFT
_INDIRECT = spec.DESC_F_INDIRECT << FLAGS_SHIFT
#: Smallest indirect table that is allocated, in descriptors; a longer buffer gets a longer one.
_TABLE = 8

#: A buffer: the descriptors that it takes in the ring, and its writable bytes.
_Chain = tuple[int, int]


class PackedQueue(PackedRing):
    """A packed virtqueue of ``size`` descriptors in ``dma``. See :class:`~uvirtio.queue.Queue`; a token is a buffer id.

    Of the ``accepted`` features EVENT_IDX, INDIRECT_DESC and IN_ORDER matter here. ``fence`` keeps the store of the
    flags before the load of the device's event structure.
    """

    __slots__ = ("_first", "_ids", "_order", "_room")

    #: What :meth:`pool` makes.
    pool_class: ClassVar[type[PackedPool]] = PackedPool

    def __init__(
        self,
        index: int,
        size: int,
        dma: DmaMemory,
        accepted: Features = NOTHING,
        *,
        fence: Callable[[], object] | None = None,
        barrier: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(index, size, dma, event_idx=Feature.EVENT_IDX in accepted, fence=fence, barrier=barrier)
        self.indirect = Feature.INDIRECT_DESC in accepted
        self.in_order = Feature.IN_ORDER in accepted
        self._forget()

    _pool: PackedPool | None

    def _forget(self) -> None:
        """All descriptors are free and nothing is in flight."""
        self._ids = deque(range(self.size))
        self._room = self.size
        self._added = {}
        self._chains = {}
        self._order: deque[int] = deque()
        #: Position and second word of the first descriptor that was added: the store that publishes.
        self._first = (0, 0)

    # Supplying buffers (2.8.21)

    def add(self, readable: Sequence[Dma], writable: Sequence[Dma]) -> int:
        """Describe a buffer. See :meth:`uvirtio.queue.Queue.add`."""
        if self.held:
            self.guard("D3")
        if len(writable) == 1 and not readable and 0 < writable[0].size <= CHAIN_LIMIT:
            # What most buffers are, without the detours.
            capacity = writable[0].size
            elements = [(writable[0].address, capacity | _WRITE)]
        else:
            check_parts(readable, writable, self.size, self.name)
            elements = [(part.address, part.size) for part in readable]
            elements += [(part.address, part.size | _WRITE) for part in writable]
            capacity = sum(part.size for part in writable)
        needed = 1 if self.indirect else len(elements)
        if needed > self._room:
            raise self.full(needed, self._room)
        token = self._ids.popleft()
        if self.indirect and len(elements) > 1:
            elements = [self._indirect_table(token, elements)]
        self._write(token, elements)
        self._room -= len(elements)
        self._added[token] = (len(elements), capacity)
        return token

    def _write(self, token: int, elements: list[tuple[int, int]]) -> None:
        """Put the parts into the ring (2.8.21.1), all but the flags that :meth:`publish` has to store last."""
        descriptors, written = self.descriptors, self.written
        position, wrap = self.next_avail, self.avail_wrap
        withheld, more = not self._added, len(elements)
        for address, rest in elements:
            more -= 1
            word = rest | token << ID_SHIFT | AVAILABLE[wrap] << FLAGS_SHIFT | (_NEXT if more else 0)
            written[position] = word >> FLAGS_SHIFT
            descriptors[2 * position] = address
            if withheld:
                self._first, withheld = (position, word), False
            else:
                descriptors[2 * position + 1] = word
            position += 1
            if position == self.size:
                position, wrap = 0, wrap ^ 1
        self.next_avail, self.avail_wrap = position, wrap

    def _indirect_table(self, token: int, elements: list[tuple[int, int]]) -> tuple[int, int]:
        """Put the parts into a table of their own (2.8.7); returns the one descriptor for it."""
        length = spec.DESC_SIZE * len(elements)
        table = self._tables.get(token)
        if table is None or table.size < length:
            if table is not None:
                table.free()
            table = self._tables[token] = self._dma.allocate(max(length, spec.DESC_SIZE * _TABLE), spec.DESC_ALIGN)
        words = table.memory.cast("Q")
        for position, (address, rest) in enumerate(elements):
            words[2 * position] = address
            words[2 * position + 1] = rest
        return table.address, length | _INDIRECT

    def publish(self, notify: bool = True) -> bool:
        """Store the first flags and decide once. See :meth:`uvirtio.queue.Queue.publish`."""
        if self.held:
            self.guard(*(("D3", "D4") if notify else ("D3",)))
        added = self._added
        if added:
            self._chains.update(added)
            if self.in_order:
                self._order.extend(added)
            first, word = self._first
            self.make_available(first, word, (self.next_avail - first - 1) % self.size + 1, len(added))
            added.clear()
        return notify and self.notify()

    # Receiving used buffers (2.8.22)

    def reap(self, done: list[tuple[int, int]]) -> bool:
        """Take used descriptors until one is not used. See :meth:`QueueBase.reap`."""
        descriptors, before = self.descriptors, len(done)
        while self.outstanding:
            word = descriptors[2 * self.next_used + 1]
            if word >> FLAGS_SHIFT & USED_MASK != USED[self.used_wrap]:
                self.check_untouched(word, self.written[self.next_used])
                break
            if self._barrier is not None:
                self._barrier()  # what lies in the buffer is looked at after its flags
            token, length = word >> ID_SHIFT & 0xFFFF, word & _LOW32
            if not word & _WRITE:
                length = self.unflagged(length, self._chains[token][1] if token in self._chains else 0)
            if self.in_order:
                self._reap_through(token, length, done)
            else:
                self._check(token, length)
                done.append(self._release(token, length))
        return len(done) > before

    def _reap_through(self, token: int, length: int, done: list[tuple[int, int]]) -> None:
        """Take all buffers up to this one in the order of publishing: those before it were used up (2.8.8)."""
        self._check(token, length)
        while (turn := self._order.popleft()) != token:
            done.append(self._release(turn, self._chains[turn][1]))
        done.append(self._release(token, length))

    def _check(self, token: int, length: int) -> None:
        """Raise if what the device says about a buffer is impossible."""
        chain = self._chains.get(token)
        if chain is None:
            raise self.not_in_flight(token, f"used descriptor {self.next_used}", self.outstanding)
        if length > chain[1] and not self.lenient:
            raise self.too_long(token, length, chain[1])

    def _release(self, token: int, length: int) -> tuple[int, int]:
        """Free the id and the descriptors of a buffer that was used, and move on behind it."""
        descriptors, capacity = self._chains.pop(token)
        self._ids.append(token)
        self._room += descriptors
        self.consume(1, descriptors)
        return token, length if length <= capacity else capacity

    # Looking, starting over, ending

    @property
    def free(self) -> int:
        """Descriptors that are free."""
        return self._room

    def span(self, token: int, before: int) -> tuple[int, int]:
        """See :meth:`PackedRing.span`."""
        if self._pool is not None:
            return self._pool.span(token, before)
        if token not in self._chains:
            return 0, 0
        if not self.in_order:
            return self._chains[token][0], 1
        turns = list(islice(self._order, before, None))
        turns = turns[: turns.index(token) + 1] if token in turns else []
        return sum(self._chains[turn][0] for turn in turns), len(turns)

    def pool(self, count: int, readable: Sequence[int] = (), writable: Sequence[int] = ()) -> PackedPool:
        """See :meth:`uvirtio.queue.Queue.pool`."""
        self.check_pool(count, len(readable) + len(writable))
        pool = self._pool = self.pool_class(self, self._dma, count, readable, writable)
        self._take_all()
        return pool

    def _take_all(self) -> None:
        self._room = 0
