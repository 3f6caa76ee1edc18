"""Pools on packed queues: descriptors are prepared once for either wrap counter, and a batch is a slice copy into the ring."""

from __future__ import annotations

from collections.abc import Sequence

from ..access.dma import DmaMemory
from ..errors import DeviceMisbehaved
from ..spec import packed as spec
from .packed_ring import AVAILABLE, FLAGS_SHIFT, ID_SHIFT, USED, USED_MASK, PackedRing
from .pool import Pool

__all__ = ["PackedPool"]

_NEXT = spec.DESC_F_NEXT << FLAGS_SHIFT
_WRITE = spec.DESC_F_WRITE << FLAGS_SHIFT
_INDIRECT = spec.DESC_F_INDIRECT << FLAGS_SHIFT


class PackedPool(Pool):
    """See :class:`Pool`. Buffer n has id n.

    ``_prepared[w]`` are the descriptors of all buffers for wrap counter w, in the order of their numbers, and ``_lines[w]``
    those of each buffer by itself; ``_each`` is how many descriptors a buffer takes in the ring. As long as the circle has its
    natural order, by number, descriptors are copied by the stretch; afterwards they are gathered first.
    """

    queue: PackedRing

    def __init__(
        self, queue: PackedRing, dma: DmaMemory, count: int, readable: Sequence[int], writable: Sequence[int]
    ) -> None:
        # Private copies of the second words of used descriptors (length | id << 32 | flags << 48), and the same bytes seen as
        # lengths, ids and flags; the circle alike, once for each wrap counter.
        self._found = memoryview(bytearray(8 * count)).cast("Q")
        quarters = self._found.cast("B").cast("H")
        self.lengths = self._found.cast("B").cast("I")[::2]
        self.numbers, self._flags = quarters[2::4], quarters[3::4]
        self._expected = tuple(memoryview(bytearray(8 * count)).cast("Q") for _ in USED)
        self._ids = self._expected[0].cast("B").cast("H")[2::4]
        super().__init__(queue, dma, count, readable, writable, range(count))
        self._make_tables()
        self._describe()

    def _words(self, number: int) -> tuple[int, ...]:
        written = _WRITE if self.capacity and not self.queue.flagless else 0
        return tuple(self.capacity | number << ID_SHIFT | flags << FLAGS_SHIFT | written for flags in USED)

    def _describe(self) -> None:
        """Prepare the descriptors of all buffers, and write the indirect tables."""
        parts = len(self.parts)
        self._prepared = [memoryview(bytearray(spec.DESC_SIZE * self._each * self.count)).cast("Q") for _ in (0, 1)]
        for number in range(self.count):
            words = [
                (self.address(part, number), self.parts[part] | (_WRITE if part >= self.readable else 0))
                for part in range(parts)
            ]
            if self._tables is not None:
                table = self._table_of(number, words)
                view = table.memory.cast("Q")
                for step, (address, rest) in enumerate(words):
                    view[2 * step], view[2 * step + 1] = address, rest
                words = [(table.address, table.size | _INDIRECT)]
            for step, (address, rest) in enumerate(words):
                more = _NEXT if step + 1 < self._each else 0
                for wrap in (0, 1):
                    at = 2 * (number * self._each + step)
                    self._prepared[wrap][at] = address
                    self._prepared[wrap][at + 1] = rest | more | number << ID_SHIFT | AVAILABLE[wrap] << FLAGS_SHIFT
        self._written = bytes(self._tables.memory) if self._tables is not None else b""
        size = spec.DESC_SIZE * self._each
        self._lines = [
            [bytes(prepared.cast("B")[size * number : size * (number + 1)]) for number in range(self.count)]
            for prepared in self._prepared
        ]
        #: Whether the circle has its natural order.
        self._natural = True
        #: Flags of the first descriptor of a buffer as the driver writes them, by wrap counter.
        self._available = [prepared[1] >> FLAGS_SHIFT for prepared in self._prepared]

    def verify(self) -> None:
        """See :meth:`Pool.verify`: the indirect tables. The ring itself is written anew with every batch."""
        if self._tables is not None and bytes(self._tables.memory) != self._written:
            now = bytes(self._tables.memory)
            at = next(index for index in range(len(now)) if now[index] != self._written[index]) // spec.DESC_SIZE
            raise DeviceMisbehaved(
                f"{self.queue.name}: indirect descriptor {at} of the pool is not what the driver wrote; "
                "indirect tables are read-only for the device (virtio 1.4, 2.8.7)",
                rule="descriptor",
            )

    def _supply(self, count: int) -> None:
        """Write the descriptors of all of them, and the flags of the first one last (2.8.21.1)."""
        queue, each = self.queue, self._each
        first, prepared, descriptors = queue.next_avail, self._prepared[queue.avail_wrap], count * each
        start = 2 * self._ids[self._next] * each
        queue.descriptors[2 * first] = prepared[start]
        if descriptors == 1:
            queue.advance(1)
        elif self._natural and first + descriptors <= queue.size and self._next + count <= self.count:
            at, end = 2 * first + 2, 2 * (first + descriptors)
            queue.descriptors[at:end] = prepared[start + 2 : start + 2 * descriptors]
            queue.advance(descriptors)
        else:
            queue.advance(1)
            self._copy_rest(count)
        queue.make_available(first, prepared[start + 1], descriptors, count)

    def _copy_rest(self, count: int) -> None:
        """Copy all descriptors but the first into the ring, in as many pieces as ring and circle wrap."""
        queue, each = self.queue, self._each
        left = count * each - 1
        if self._natural:
            prepared, total, start = self._prepared, self.count * each, self._next * each + 1
        else:
            prepared, total, start = self._gathered(count), count * each, 1
        while left:
            start %= total
            some = min(left, queue.size - queue.next_avail, total - start)
            at, end = 2 * queue.next_avail, 2 * (queue.next_avail + some)
            queue.descriptors[at:end] = prepared[queue.avail_wrap][2 * start : 2 * (start + some)]
            queue.advance(some)
            left -= some
            start += some

    def _gathered(self, count: int) -> list[memoryview]:
        """The descriptors of the next ``count`` buffers in the order of the circle, for the wrap counters that they need."""
        queue, gathered = self.queue, list(self._prepared)
        crossing = queue.next_avail + count * self._each > queue.size
        for wrap in (0, 1) if crossing else (queue.avail_wrap,):
            lines = self._lines[wrap]
            gathered[wrap] = memoryview(b"".join([lines[number] for number in self.upcoming(count)])).cast("Q")
        return gathered

    def _used(self, ahead: int) -> bool:
        """Whether the used descriptor ``ahead`` buffers from the next one is there, if all are used one by one."""
        queue = self.queue
        position, wrap = queue.next_used + ahead * self._each, queue.used_wrap
        if position >= queue.size:
            position, wrap = position - queue.size, wrap ^ 1
        return queue.descriptors[2 * position + 1] >> FLAGS_SHIFT & USED_MASK == USED[wrap]

    def _waiting(self) -> int:
        """Search for the end of what is used; the ring has no index that would tell."""
        queue = self.queue
        used, unused = 1, queue.outstanding
        if not unused:
            return 0
        word = queue.descriptors[2 * queue.next_used + 1]
        if word >> FLAGS_SHIFT & USED_MASK != USED[queue.used_wrap]:
            queue.check_untouched(word, self._available[queue.used_wrap])
            return 0
        if queue.in_order and word >> ID_SHIFT & 0xFFFF != self._ids[self._oldest]:
            return 1  # and stands for more
        if unused == 1 or self._used(unused - 1):
            used = unused
        while used < unused - 1:
            middle = (used + unused) // 2
            if self._used(middle - 1):
                used = middle
            else:
                unused = middle
        queue.barrier()
        return used

    def _copy_used(self, at: int, oldest: int, most: int) -> int:
        queue = self.queue
        first, expected = 2 * queue.next_used + 1, self._expected[queue.used_wrap]
        if most == 1:
            word = self._found[at] = queue.descriptors[first]
            return 1 if word == expected[oldest] else -1
        count = self.count - oldest
        if most < count:
            count = most
        stretch = (queue.size - queue.next_used - 1) // self._each + 1
        if stretch < count:
            count = stretch
        found, step = self._found[at : at + count], 2 * self._each
        found[:] = queue.descriptors[first : first + step * (count - 1) + 1 : step]
        return count if found == expected[oldest : oldest + count] else -count

    def _in_flight(self, at: int, oldest: int, count: int) -> bool:
        queue = self.queue
        flags = self._flags[at : at + count].tolist()
        if any(flag & USED_MASK != USED[queue.used_wrap] for flag in set(flags)):
            return False
        if queue.flagless:
            self._expect_no_flag()
        elif not all(flag & spec.DESC_F_WRITE for flag in set(flags)):
            for flag, length in zip(flags, self.lengths[at : at + count].tolist(), strict=True):
                if not flag & spec.DESC_F_WRITE:
                    queue.unflagged(length, self.capacity)
        return super()._in_flight(at, oldest, count)

    def _expect_no_flag(self) -> None:
        """From now on expect VIRTQ_DESC_F_WRITE of no used descriptor, since this device does not set it."""
        if self._expected[0][0] & _WRITE:
            for place, number in enumerate(self._ids.tolist()):
                for circle, word in zip(self._expected, self._words(number), strict=True):
                    circle[place] = word

    def _sort_out(self, at: int, count: int) -> int:
        queue = self.queue
        for step in range(count):
            flags = self._flags[at + step]
            if flags & USED_MASK != USED[queue.used_wrap]:
                # The search met later descriptors that are used; those in between are not yet.
                count = step
                break
            if not flags & spec.DESC_F_WRITE:
                self.lengths[at + step] = queue.unflagged(self.lengths[at + step], self.capacity)
        if count and queue.in_order:
            return self._sort_out_batch(at, queue.outstanding)
        return super()._sort_out(at, count)

    def span(self, number: int, before: int) -> tuple[int, int]:
        """See :meth:`~uvirtio.queue.packed_ring.PackedRing.span`."""
        if number >= self.count:
            return 0, 0
        batch = (self._position[number] - self._oldest - before) % self.count + 1 if self.queue.in_order else 1
        return self._each * batch, batch

    def _exchange(self, one: int, other: int) -> None:
        super()._exchange(one, other)
        self._natural = self._natural and one == other
