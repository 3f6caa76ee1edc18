"""The split virtqueue, driver side: buffers of any shape, one token each (virtio 1.4, 2.7.13 and 2.7.14).

What is needed to check and free a buffer is kept here, never read back from the ring.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import ClassVar

from ..access.dma import Dma, DmaMemory
from ..spec import split as spec
from ..spec.features import Feature, Features
from .base import CHAIN_LIMIT, NOTHING, check_parts
from .split_pool import SplitPool
from .split_ring import FLAGS_SHIFT, NEXT_SHIFT, RING, SplitRing

__all__ = ["SplitQueue"]

_NEXT = spec.DESC_F_NEXT << FLAGS_SHIFT
_WRITE = spec.DESC_F_WRITE << FLAGS_SHIFT
_INDIRECT = spec.DESC_F_INDIRECT << FLAGS_SHIFT
_LOW32 = 0xFFFF_FFFF
#: Smallest indirect table that is allocated, in descriptors; a longer buffer gets a longer one.
_TABLE = 8

#: A descriptor as it was written: the view it is in, the position there, its address, the rest of it.
_Written = tuple[memoryview, int, int, int]
#: A buffer: the descriptors it takes, everything that was written for it, its writable bytes.
_Chain = tuple[Sequence[int], Sequence[_Written], int]


class SplitQueue(SplitRing):
    """A split virtqueue of ``size`` descriptors in ``dma``. See :class:`~uvirtio.queue.Queue`; a token is a head descriptor.

    Of the ``accepted`` features EVENT_IDX, INDIRECT_DESC and IN_ORDER matter here. ``legacy`` lays the parts out in one
    block with the used ring on the next page (2.7.2), and cuts lengths that are too long instead of refusing them
    (2.7.8.1). ``fence`` keeps the store of the available index before the load of the suppression field.
    """

    __slots__ = ("_order", "_unused")

    #: What :meth:`pool` makes.
    pool_class: ClassVar[type[SplitPool]] = SplitPool

    def __init__(
        self,
        index: int,
        size: int,
        dma: DmaMemory,
        accepted: Features = NOTHING,
        *,
        legacy: bool = False,
        fence: Callable[[], object] | None = None,
        barrier: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(
            index, size, dma, event_idx=Feature.EVENT_IDX in accepted, legacy=legacy, fence=fence, barrier=barrier
        )
        self.indirect = Feature.INDIRECT_DESC in accepted
        self.in_order = Feature.IN_ORDER in accepted
        self.lenient = legacy
        self._forget()

    def _forget(self) -> None:
        """All descriptors are free and nothing is in flight."""
        # First in, first out: buffers that come back in order are described in ring order, as IN_ORDER demands (2.7.5).
        self._unused = deque(range(self.size))
        self._added = {}
        self._chains = {}
        self._order: deque[int] = deque()

    # Supplying buffers (2.7.13)

    def add(self, readable: Sequence[Dma], writable: Sequence[Dma]) -> int:
        """Describe a buffer. See :meth:`uvirtio.queue.Queue.add`."""
        if self.held:
            self.guard("D3")
        if len(writable) == 1 and not readable:
            chain = self._describe_one(writable[0], _WRITE)
        elif len(readable) == 1 and not writable:
            chain = self._describe_one(readable[0], 0)
        else:
            chain = self._describe_parts(readable, writable)
        head = chain[0][0]
        self.avail[RING + (self.avail_idx + len(self._added) & self.mask)] = head
        self._added[head] = chain
        return head

    def _describe_one(self, part: Dma, flags: int) -> _Chain:
        """One descriptor for a buffer of one part."""
        size, unused = part.size, self._unused
        if not (unused and 0 < size <= CHAIN_LIMIT):
            check_parts((part,), (), self.size, self.name)
            raise self.full(1, len(unused))
        table, head = self.table, unused.popleft()
        at, address, rest = 2 * head, part.address, size | flags
        table[at] = address
        table[at + 1] = rest
        return (head,), ((table, at, address, rest),), size if flags else 0

    def _describe_parts(self, readable: Sequence[Dma], writable: Sequence[Dma]) -> _Chain:
        """A chain or an indirect table for a buffer of several parts."""
        check_parts(readable, writable, self.size, self.name)
        elements = [(part.address, part.size) for part in readable]
        elements += [(part.address, part.size | _WRITE) for part in writable]
        capacity = sum(part.size for part in writable)
        needed = 1 if self.indirect else len(elements)
        if needed > len(self._unused):
            raise self.full(needed, len(self._unused))
        if self.indirect:
            return self._describe_indirectly(elements, capacity)
        return self._describe(elements, capacity)

    def _describe(self, elements: list[tuple[int, int]], capacity: int) -> _Chain:
        """Chain the parts through the descriptor table."""
        descriptors = [self._unused.popleft() for _ in elements]
        followers = [*descriptors[1:], None]
        written = []
        for (address, rest), descriptor, follower in zip(elements, descriptors, followers, strict=True):
            if follower is not None:
                rest |= _NEXT | follower << NEXT_SHIFT
            written.append((self.table, 2 * descriptor, address, rest))
        return descriptors, self._write(written), capacity

    def _describe_indirectly(self, elements: list[tuple[int, int]], capacity: int) -> _Chain:
        """Put the parts into a table of their own, and one descriptor for that into the ring (2.7.5.3)."""
        head = self._unused.popleft()
        dma = self._table(head, len(elements))
        table = dma.memory.cast("Q")
        written = [
            (table, 2 * position, address, rest | _NEXT | position + 1 << NEXT_SHIFT)
            for position, (address, rest) in enumerate(elements[:-1])
        ]
        written.append((table, 2 * len(written), *elements[-1]))
        written.append((self.table, 2 * head, dma.address, spec.DESC_SIZE * len(elements) | _INDIRECT))
        return (head,), self._write(written), capacity

    @staticmethod
    def _write(written: list[_Written]) -> list[_Written]:
        for table, at, address, rest in written:
            table[at] = address
            table[at + 1] = rest
        return written

    def _table(self, head: int, length: int) -> Dma:
        """The indirect table of a head descriptor, kept for its next buffer."""
        table = self._tables.get(head)
        if table is None or table.size < spec.DESC_SIZE * length:
            if table is not None:
                table.free()
            table = self._tables[head] = self._dma.allocate(spec.DESC_SIZE * max(length, _TABLE), spec.DESC_ALIGN)
        return table

    def publish(self, notify: bool = True) -> bool:
        """Store the available index once and decide once. See :meth:`uvirtio.queue.Queue.publish`."""
        if self.held:
            self.guard(*(("D3", "D4") if notify else ("D3",)))
        added = self._added
        if added:
            count = len(added)
            if self.in_order:
                self._order.extend(added)
            if self._chains:
                self._chains.update(added)
                added.clear()
            else:
                self._added, self._chains = self._chains, added
            self.make_available(count)
        return notify and self.notify()

    # Receiving used buffers (2.7.14)

    def reap(self, done: list[tuple[int, int]]) -> bool:
        """Take the entries of the used ring up to its index. See :meth:`QueueBase.reap`."""
        # Also with nothing in flight: an index that moves then is the device's mistake.
        pending = self.pending()
        if not pending:
            return False
        if self.in_order:
            self._reap_in_order(pending, done)
            return True
        elements, mask, chains, unused = self.elements, self.mask, self._chains, self._unused
        for _ in range(pending):
            element = elements[self.last_used_idx & mask]
            token, length = element & _LOW32, element >> 32
            chain = chains.get(token)
            if chain is None or length > chain[2]:
                self._check(token, length)
                done.append(self._release(token, length))
                continue
            # What _check and _release do, without the calls: this is where a single buffer spends its time.
            for table, at, address, rest in chain[1]:
                if table[at] != address or table[at + 1] != rest:
                    raise self.overwritten(at // 2, token)
            del chains[token]
            unused.extend(chain[0])
            self.outstanding -= 1
            self.last_used_idx = self.last_used_idx + 1 & 0xFFFF
            done.append((token, length))
        return True

    def _reap_in_order(self, pending: int, done: list[tuple[int, int]]) -> None:
        """Take ``pending`` entries: each that is written names the last buffer of a batch; those before were used up (2.7.9)."""
        turns = list(islice(self._order, pending))
        first = 0
        while first < pending:
            element = self.elements[self.last_used_idx & self.mask]
            token, length = element & _LOW32, element >> 32
            try:
                last = turns.index(token, first)
            except ValueError:
                self._check(token, 0)
                raise self.out_of_order(token, turns[first:]) from None
            batch = [(turn, self._chains[turn][2]) for turn in turns[first:last]]
            batch.append((token, length))
            for member in batch:
                # Before any of them is let go: behind the first there is no entry to come back to.
                self._check(*member)
            for member in batch:
                done.append(self._release(*member))
                self._order.popleft()
            first = last + 1

    def _check(self, token: int, length: int) -> None:
        """Raise if what the device says about a buffer is impossible."""
        chain = self._chains.get(token)
        if chain is None:
            raise self.not_in_flight(token, f"used entry {self.last_used_idx & self.mask}", self.outstanding)
        if length > chain[2] and not self.lenient:
            raise self.too_long(token, length, chain[2])
        for table, at, address, rest in chain[1]:
            if table[at] != address or table[at + 1] != rest:
                raise self.overwritten(at // 2, token)

    def _release(self, token: int, length: int) -> tuple[int, int]:
        """Free the descriptors of a buffer that was used, and move on to the next entry."""
        descriptors, _, capacity = self._chains.pop(token)
        self._unused.extend(descriptors)
        self.outstanding -= 1
        self.last_used_idx = self.last_used_idx + 1 & 0xFFFF
        # Only a legacy device may say too much: there, lengths are known to be wrong (2.7.8.1).
        return token, length if length <= capacity else capacity

    # Looking, starting over, ending

    @property
    def free(self) -> int:
        """Descriptors that are free."""
        return len(self._unused)

    def pool(self, count: int, readable: Sequence[int] = (), writable: Sequence[int] = ()) -> SplitPool:
        """See :meth:`uvirtio.queue.Queue.pool`."""
        self.check_pool(count, len(readable) + len(writable))
        pool = self._pool = self.pool_class(self, self._dma, count, readable, writable)
        self._take_all()
        return pool

    def _take_all(self) -> None:
        self._unused.clear()

    def next_heads(self, count: int) -> Sequence[int]:
        """See :meth:`SplitRing.next_heads`: with IN_ORDER, on from where the queue is."""
        return list(self._unused) if self.in_order else range(count)

    def release_pool(self) -> None:
        """All descriptors are single again; with IN_ORDER, on from where the pool is."""
        pool = self._pool
        super().release_pool()
        if pool is not None and self.in_order:
            self._unused = deque(pool.remaining())
