"""Pools: many equal buffers whose descriptors are written once, and batches of them that cost a few slice copies.

A pool knows its buffers by number, which is also the id that the device sees. All numbers stand in a circle: from ``_oldest``
on those in flight in the order of publishing, then from ``_next`` on the free ones. The circle is kept as the words that the
device is expected to write, so one comparison of a stretch of used entries with the circle at ``_oldest`` proves that every id in
it was in flight, that it comes once, and that its length is right. A device that fills buffers in part or uses them in another
order is looked at more closely, number by number if need be: what it gives back changes places with what stands at ``_oldest``.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..access.dma import Dma, DmaMemory
from ..errors import DeviceMisbehaved, DriverMisuse, QueueFull
from ..spec.split import DESC_ALIGN, DESC_SIZE
from .base import QueueBase

__all__ = ["Pool", "column_alignment"]

_PAGE = 4096


def column_alignment(size: int) -> int:
    """Alignment of the parts of one kind: a power of two that suits their size, from a cache line to a page."""
    return min(max(64, 1 << (size - 1).bit_length()), _PAGE)


class Pool:
    """``count`` equal buffers on a queue that nothing else is added to.

    ``views[p][n]`` is part p of buffer n, ``columns[p]`` that part of all buffers, one behind the other, ``parts[p]`` its size.
    The parts are the ``readable`` ones, then the ``writable`` ones.

    After :meth:`reap` has returned n, ``numbers[:n]`` are the buffers that came back, in the device's order, and ``lengths[:n]``
    the bytes that it wrote into each; both are overwritten by the next :meth:`reap`.
    """

    numbers: memoryview
    lengths: memoryview
    #: The circle as the device is expected to write it (le64 each; a packed ring has one per wrap counter), and its numbers.
    _expected: tuple[memoryview, ...]
    #: Copies of used entries, in the same form; ``numbers`` and ``lengths`` are parts of these words.
    _found: memoryview
    _ids: memoryview

    def __init__(
        self,
        queue: QueueBase,
        dma: DmaMemory,
        count: int,
        readable: Sequence[int],
        writable: Sequence[int],
        order: Sequence[int],
    ) -> None:
        """``order``: the numbers as they will be published first."""
        self.queue = queue
        #: Descriptors of a buffer in the ring.
        self._each = 1 if queue.indirect else len(readable) + len(writable)
        self.count = count
        self.parts = (*readable, *writable)
        #: How many parts are readable; the others are writable.
        self.readable = len(readable)
        self.capacity = sum(writable)
        self._dma = dma
        self._tables: Dma | None = None
        self._blocks: list[Dma] = [dma.allocate(size * count, column_alignment(size)) for size in self.parts]
        self.columns = [block.memory for block in self._blocks]
        self.views = [
            [column[size * number : size * (number + 1)] for number in range(count)]
            for column, size in zip(self.columns, self.parts, strict=True)
        ]
        self._next = 0
        self._oldest = 0
        self._position = [0] * count
        self._arrange(order)

    def _arrange(self, order: Sequence[int]) -> None:
        """All buffers are free, to be published in this order."""
        self._next = self._oldest = 0
        #: Whether the descriptors are to be compared before more is taken: a new round through the circle has begun.
        self._unverified = True
        for position, number in enumerate(order):
            self._position[number] = position
            for circle, word in zip(self._expected, self._words(number), strict=True):
                circle[position] = word

    def _words(self, number: int) -> tuple[int, ...]:
        """What the device is expected to write for a buffer that it uses up, one word for each of ``_expected``."""
        raise NotImplementedError

    def address(self, part: int, number: int) -> int:
        """Bus address of a part of a buffer."""
        return self._blocks[part].address + self.parts[part] * number

    @property
    def free(self) -> int:
        """Buffers that are the driver's."""
        return self.count - self.queue.outstanding

    def upcoming(self, count: int) -> list[int]:
        """Numbers of the buffers that the next :meth:`publish` of ``count`` will give to the device, in order."""
        ids, end = self._ids, self._next + count
        following: list[int] = ids[self._next : end].tolist()
        return following if end <= self.count else following + ids[: end - self.count].tolist()

    def publish(self, count: int, notify: bool = True) -> bool:
        """Make the next ``count`` buffers available at once. See :meth:`uvirtio.queue.Queue.publish`."""
        queue = self.queue
        if queue.held:
            queue.guard(*(("D3", "D4") if notify else ("D3",)))
        if not 0 < count <= self.count - queue.outstanding:
            raise QueueFull(
                f"{queue.name}: {count} buffers are to be published and {self.free} of {self.count} are free"
            )
        self._supply(count)
        following = self._next + count
        self._next = following if following < self.count else following - self.count
        return notify and queue.notify()

    def _supply(self, count: int) -> None:
        """Put the buffers from ``_next`` on into the ring and expose them."""
        raise NotImplementedError

    def reap(self) -> int:
        """Take back what the device has used: how many. They stand in ``numbers`` and ``lengths``.

        Raises :class:`~uvirtio.errors.DeviceMisbehaved` as :meth:`uvirtio.queue.Queue.completed` does. Descriptors are compared
        with what was written once per round through the pool.
        """
        queue, got = self.queue, 0
        try:
            while waiting := self._waiting():
                if self._unverified:
                    self.verify()
                    self._unverified = False
                before, end = got, got + waiting
                while got < end and (some := self._take(got, end - got)):
                    got += some
                if queue.event_idx:
                    queue.move_used_event()
                if got == before or not queue.outstanding:
                    break
        except DeviceMisbehaved:
            # The good ones before it first; the error comes again with the next call.
            if not got:
                raise
        return got

    def _waiting(self) -> int:
        """How many buffers the device says it has used; more may be found with the next call."""
        raise NotImplementedError

    def _take(self, at: int, most: int) -> int:
        """Take a stretch of at most ``most`` used buffers into ``numbers`` and ``lengths`` from ``at`` on; how many."""
        oldest = self._oldest
        count = self._copy_used(at, oldest, most)
        if count < 0:
            count = -count
            if not self._in_flight(at, oldest, count):
                count = self._sort_out(at, count)
        following = oldest + count
        if following >= self.count:
            self._unverified = True
            following -= self.count
        self._oldest = following
        self.queue.consume(count, count * self._each)
        return count

    def _copy_used(self, at: int, oldest: int, most: int) -> int:
        """Copy used entries out of the ring, once: what is checked is what is used. ``most``: how many, at most.

        How many were copied, up to the end of the ring or of the circle; negative where they are not as the circle has them.
        """
        raise NotImplementedError

    def _in_flight(self, at: int, oldest: int, count: int) -> bool:
        """Whether the copied entries are so many different buffers in flight, with lengths that fit.

        In any order: the front of the circle only has to hold the same ones. Those that came from further back change places
        with those that stay.
        """
        if self.queue.in_order and self.numbers[at] != self._ids[oldest]:
            return False  # it stands for those before it, too
        if max(self.lengths[at : at + count].tolist()) > self.capacity:
            return False
        numbers, front = self.numbers[at : at + count].tolist(), self._ids[oldest : oldest + count].tolist()
        if numbers == front:
            return True
        came, position, size, outstanding = set(numbers), self._position, self.count, self.queue.outstanding
        if self.queue.in_order or len(came) < count:
            return False
        overtaking = came.difference(front)
        for number in overtaking:
            if number >= size or (position[number] - oldest) % size >= outstanding:
                return False
        if overtaking:
            for number, overtaken in zip(overtaking, set(front).difference(came), strict=True):
                self._exchange(position[number], position[overtaken])
        return True

    def _sort_out(self, at: int, count: int) -> int:
        """Check a stretch number by number and put the circle in order; how many are good. Raises if the first is bad."""
        for step in range(count):
            number, length = self.numbers[at + step], self.lengths[at + step]
            try:
                self._check(number, length, step)
            except DeviceMisbehaved:
                if step:
                    return step
                raise
            self.lengths[at + step] = min(length, self.capacity)
            self._exchange((self._oldest + step) % self.count, self._position[number])
        return count

    def _sort_out_batch(self, at: int, most: int) -> int:
        """IN_ORDER: the first entry stands for the buffer that it names and all before it, which were used up; how many."""
        number, length = self.numbers[at], self.lengths[at]
        self._check(number, length, 0)
        batch = (self._position[number] - self._oldest) % self.count + 1
        if batch > most:
            raise self.queue.out_of_order(number, self.tokens())
        # What a device would have written for each of those before: the circle has the words.
        circle, oldest = self._expected[0], self._oldest
        before = min(batch - 1, self.count - oldest)
        self._found[at : at + before] = circle[oldest : oldest + before]
        if before < batch - 1:
            self._found[at + before : at + batch - 1] = circle[: batch - 1 - before]
        self.numbers[at + batch - 1], self.lengths[at + batch - 1] = number, min(length, self.capacity)
        return batch

    def _check(self, number: int, length: int, before: int) -> None:
        """Raise if this number is not in flight after the ``before`` oldest are gone, or its length is impossible."""
        queue = self.queue
        in_flight = queue.outstanding - before
        if number >= self.count or (self._position[number] - self._oldest - before) % self.count >= in_flight:
            raise queue.not_in_flight(number, "the device", in_flight)
        if length > self.capacity and not queue.lenient:
            raise queue.too_long(number, length, self.capacity)

    def _exchange(self, one: int, other: int) -> None:
        """Let two places of the circle change their buffers."""
        if one != other:
            position, ids = self._position, self._ids
            position[ids[one]], position[ids[other]] = other, one
            for circle in self._expected:
                circle[one], circle[other] = circle[other], circle[one]

    def verify(self) -> None:
        """Compare everything that was written once and must not change. Raises DeviceMisbehaved where the device wrote."""
        raise NotImplementedError

    def completed(self) -> list[tuple[int, int]]:
        """:meth:`reap` in the form of :meth:`uvirtio.queue.Queue.completed`."""
        count = self.reap()
        return list(zip(self.numbers[:count].tolist(), self.lengths[:count].tolist(), strict=True))

    def tokens(self) -> list[int]:
        """Numbers of the buffers in flight, in the order of publishing."""
        return [self._ids[(self._oldest + step) % self.count] for step in range(self.queue.outstanding)]

    def remaining(self) -> list[int]:
        """All numbers, those that would be published next first. Only with nothing in flight."""
        return [self._ids[(self._next + step) % self.count] for step in range(self.count)]

    def restart(self) -> None:
        """Write the descriptors again into empty ring memory: all buffers are free."""
        self._arrange(range(self.count))
        self._describe()

    def _describe(self) -> None:
        """Write, or prepare, the descriptors of all buffers and their indirect tables, and remember them to :meth:`verify`."""
        raise NotImplementedError

    def _make_tables(self) -> None:
        """Room for the indirect tables, where buffers have more parts than descriptors in the ring."""
        parts = len(self.parts)
        if self._each < parts:
            self._tables = self._dma.allocate(DESC_SIZE * parts * self.count, DESC_ALIGN)

    def _table_of(self, number: int, words: list[tuple[int, int]]) -> Dma:
        """The indirect table of a buffer, for descriptors of these addresses and rests."""
        assert self._tables is not None, "there is one where this is asked for"
        size = DESC_SIZE * len(words)
        return self._tables.part(size * number, size)

    def close(self) -> None:
        """Give the queue back for single buffers, and the memory. Raises DriverMisuse while buffers are in flight."""
        if self.queue.outstanding:
            raise DriverMisuse(
                f"{self.queue.name}: {self.queue.outstanding} buffers of the pool are in flight; the device may write to them"
            )
        self.queue.release_pool()
        self.free_memory()

    def free_memory(self) -> None:
        """Give the buffers' memory and the indirect tables back."""
        for block in (*self._blocks, *([self._tables] if self._tables is not None else ())):
            block.free()
        self._blocks, self._tables = [], None
