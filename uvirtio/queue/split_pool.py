"""Pools on split queues: a batch is a slice copy into the available ring and one out of the used ring."""

from __future__ import annotations

from collections.abc import Sequence

from ..access.dma import DmaMemory
from ..errors import DeviceMisbehaved, DriverMisuse
from ..spec import split as spec
from .pool import Pool
from .split_ring import FLAGS_SHIFT, NEXT_SHIFT, RING, SplitRing

__all__ = ["SplitPool"]

_NEXT = spec.DESC_F_NEXT << FLAGS_SHIFT
_WRITE = spec.DESC_F_WRITE << FLAGS_SHIFT
_INDIRECT = spec.DESC_F_INDIRECT << FLAGS_SHIFT


class SplitPool(Pool):
    """See :class:`Pool`. Buffer n has descriptor n as its head."""

    queue: SplitRing

    def __init__(
        self, queue: SplitRing, dma: DmaMemory, count: int, readable: Sequence[int], writable: Sequence[int]
    ) -> None:
        parts = len(readable) + len(writable)
        if queue.in_order and (count != queue.size or (parts > 1 and not queue.indirect)):
            raise DriverMisuse(
                f"{queue.name}: IN_ORDER uses descriptors in ring order (virtio 1.4, 2.7.5), so a pool has {queue.size} buffers "
                "of one descriptor each: change its size, accept INDIRECT_DESC, or do without IN_ORDER"
            )
        # Private copies of used elements (id | length << 32), and the same bytes seen as ids and lengths; the circle alike.
        self._found = memoryview(bytearray(spec.USED_ELEMENT_SIZE * count)).cast("Q")
        halves = self._found.cast("B").cast("I")
        self.numbers, self.lengths = halves[::2], halves[1::2]
        self._expected = (memoryview(bytearray(spec.USED_ELEMENT_SIZE * count)).cast("Q"),)
        self._ids = self._expected[0].cast("B").cast("I")[::2]
        # The ids once more, side by side as the available ring holds them: out of the words they would be copied one by one.
        self._heads = memoryview(bytearray(2 * count)).cast("H")
        super().__init__(queue, dma, count, readable, writable, queue.next_heads(count))
        self._make_tables()
        self._ring = queue.avail[RING : RING + queue.size]
        self._elements = queue.elements
        self._describe()

    def _words(self, number: int) -> tuple[int, ...]:
        return (number | self.capacity << 32,)

    def _arrange(self, order: Sequence[int]) -> None:
        super()._arrange(order)
        for position, number in enumerate(order):
            self._heads[position] = number

    def _exchange(self, one: int, other: int) -> None:
        super()._exchange(one, other)
        self._heads[one], self._heads[other] = self._heads[other], self._heads[one]

    def _describe(self) -> None:
        """Write all descriptors, and remember them to :meth:`verify`."""
        queue, parts = self.queue, len(self.parts)
        for number in range(self.count):
            words = [
                (self.address(part, number), self.parts[part] | (_WRITE if part >= self.readable else 0))
                for part in range(parts)
            ]
            if self._tables is not None:
                table = self._table_of(number, words)
                self._chain(table.memory.cast("Q"), words, list(range(parts)))
                words = [(table.address, table.size | _INDIRECT)]
            rest = self.count + number * (self._each - 1)
            self._chain(queue.table, words, [number, *range(rest, rest + self._each - 1)])
        self._watched = [area for area in (queue.table_memory(self.count * self._each), self._tables_memory()) if area]
        self._written = [bytes(area) for area in self._watched]

    def _tables_memory(self) -> memoryview | None:
        return self._tables.memory if self._tables is not None else None

    @staticmethod
    def _chain(table: memoryview, words: list[tuple[int, int]], descriptors: list[int]) -> None:
        for step, (address, rest) in enumerate(words):
            if step + 1 < len(words):
                rest |= _NEXT | descriptors[step + 1] << NEXT_SHIFT
            table[2 * descriptors[step]] = address
            table[2 * descriptors[step] + 1] = rest

    def verify(self) -> None:
        """See :meth:`Pool.verify`: the descriptor table and the indirect tables."""
        for area, written in zip(self._watched, self._written, strict=True):
            if bytes(area) != written:
                now = bytes(area)
                at = next(index for index in range(len(now)) if now[index] != written[index]) // spec.DESC_SIZE
                where = "descriptor" if area is self._watched[0] else "indirect descriptor"
                raise DeviceMisbehaved(
                    f"{self.queue.name}: {where} {at} of the pool is not what the driver wrote; "
                    "a device must not write to descriptors (virtio 1.4, 2.7.5.1)",
                    rule="descriptor",
                )

    def _supply(self, count: int) -> None:
        """The step "place the index of the head into the next ring entry" of 2.7.13, for all of them."""
        queue, start = self.queue, self._next
        slot = queue.avail_idx & queue.mask
        if count == 1:
            self._ring[slot] = self._heads[start]
        elif slot + count <= queue.size and start + count <= self.count:
            self._ring[slot : slot + count] = self._heads[start : start + count]
        else:
            self._copy(slot, start, count)
        queue.make_available(count)

    def _copy(self, slot: int, start: int, count: int) -> None:
        """Copy heads into the available ring, in as many pieces as ring and circle wrap."""
        while count:
            some = min(count, self.queue.size - slot, self.count - start)
            self._ring[slot : slot + some] = self._heads[start : start + some]
            count -= some
            slot = (slot + some) & self.queue.mask
            start = (start + some) % self.count

    def _waiting(self) -> int:
        return self.queue.pending()

    def _copy_used(self, at: int, oldest: int, most: int) -> int:
        queue = self.queue
        slot = queue.last_used_idx & queue.mask
        if most == 1 or (queue.in_order and self._elements[slot] != self._expected[0][oldest]):
            element = self._found[at] = self._elements[slot]
            return 1 if element == self._expected[0][oldest] else -1
        count = self.count - oldest
        if most < count:
            count = most
        if queue.size - slot < count:
            count = queue.size - slot
        found = self._found[at : at + count]
        found[:] = self._elements[slot : slot + count]
        return count if found == self._expected[0][oldest : oldest + count] else -count

    def _sort_out(self, at: int, count: int) -> int:
        if self.queue.in_order:
            return self._sort_out_batch(at, self.queue.pending())
        return super()._sort_out(at, count)
