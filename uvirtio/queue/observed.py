"""Queues and pools that tell a recorder what happens to their buffers, and remember which memory each consists of.

They are classes of their own, so that a queue that nobody watches pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from ..access.dma import Dma
from ..access.guards import GuardedMemory
from ..access.trace import Added, Asked, Recorder, Strayed, Used, Wrong
from ..errors import DeviceMisbehaved
from .packed import PackedQueue
from .packed_pool import PackedPool
from .split import SplitQueue
from .split_pool import SplitPool

if TYPE_CHECKING:
    from .base import QueueBase as _Queue
    from .pool import Pool as _Pool
else:
    _Queue = _Pool = object

__all__ = ["Observed", "ObservedPackedQueue", "ObservedSplitQueue"]


class _Part:
    """One part of a buffer as the device gets it: a copy between guard zones of the ``memory`` that the driver has."""

    __slots__ = ("copy", "memory", "number", "queue", "writable")

    memory: memoryview
    writable: bool
    number: int

    def __init__(self, dma: GuardedMemory, size: int, queue: int) -> None:
        self.copy = dma.allocate(size)
        self.queue = queue
        dma.name(self.copy, self)

    def __str__(self) -> str:
        return f"queue {self.queue}, {'writable' if self.writable else 'readable'} part {self.number}"

    def give(self) -> None:
        """Before the device gets it."""
        self.copy.memory[:] = self.memory

    def take(self) -> tuple[int, int] | None:
        """Once the device has used it; the outermost bytes that it has written and may not, as offsets."""
        if self.writable:
            self.memory[:] = self.copy.memory
            return None
        # As bytes: views are compared element by element, at many times the cost.
        if self.copy.memory.tobytes() == self.memory.tobytes():
            return None
        wrong = [at for at in range(len(self.memory)) if self.copy.memory[at] != self.memory[at]]
        return wrong[0], wrong[-1]


class _Guard:
    """The copies of one queue's buffers, by token, and what the device has written beside them."""

    def __init__(self, dma: GuardedMemory, recorder: Recorder, index: int) -> None:
        self._dma = dma
        self._recorder = recorder
        self._index = index
        self._fresh: list[_Part] = []
        #: Copies of no buffer, by size: most buffers of a queue are of a few sizes.
        self._idle: dict[int, list[_Part]] = {}
        self.parts: dict[int, list[_Part]] = {}

    def copies(self, readable: Sequence[memoryview], writable: Sequence[memoryview]) -> list[_Part]:
        """Copies of a buffer's parts, in the order in which the device sees them."""
        parts, first_writable = [], len(readable)
        for number, memory in enumerate((*readable, *writable)):
            size = len(memory)
            idle = self._idle.get(size)
            part = idle.pop() if idle else _Part(self._dma, size, self._index)
            part.memory, part.writable, part.number = memory, number >= first_writable, number
            parts.append(part)
        return parts

    def put_back(self, parts: Sequence[_Part]) -> None:
        """These are no buffer's any more; their zones are watched all the same."""
        for part in parts:
            self._idle.setdefault(part.copy.size, []).append(part)

    def keep(self, token: int, parts: list[_Part]) -> None:
        """These are the buffer's of that token now, which has not been published yet."""
        self.parts[token] = parts
        self._fresh += parts

    def give(self) -> None:
        """What was added is about to be published: the driver may have filled it only now."""
        for part in self._fresh:
            part.give()
        self._fresh.clear()

    def take(self, token: int) -> None:
        """The device has used a buffer: its contents to the driver, and what it has done besides to the recorder."""
        for part in self.parts.get(token, ()):
            if (written := part.take()) is not None:
                self._tell(token, part, *written)
            for stray in self._dma.strays_of(part.copy):
                self._tell(token, part, stray.first, stray.last)

    def drop(self, token: int) -> None:
        """Give the copies of a buffer back."""
        self.put_back(self.parts.pop(token, ()))

    def drop_all(self) -> None:
        """Give all of them back: the device has been reset."""
        self.free()
        self.parts = {}

    def free(self) -> None:
        """Give the memory back; what stands in it can still be seen."""
        self._fresh.clear()
        for parts in (*self.parts.values(), *self._idle.values()):
            for part in parts:
                part.copy.free()
        self._idle = {}

    def _tell(self, token: int, part: _Part, first: int, last: int) -> None:
        kind, recorder = "writable" if part.writable else "readable", self._recorder
        piece = f"{kind} part {self.parts[token].index(part)} of buffer {token}"
        copy = part.copy
        recorder.add(Strayed(recorder.now(), self._index, token, piece, copy.address, copy.size, first, last))


class _Observed(_Queue):
    """What is done to a queue, told. Where its memory has guard zones, the device gets copies of buffers that lie in such.

    ``parts``: the memory of each buffer that is added or in flight, as the device sees it, by token.
    """

    # Without slots, since a queue has some already: these lie in a dictionary.
    recorder: Recorder
    guards: _Guard | None
    parts: dict[int, tuple[memoryview, ...]]

    def watch(self, recorder: Recorder) -> None:
        """Tell this recorder, from now on."""
        self.recorder = recorder
        self.parts = {}
        self.guards = None
        if isinstance(self._dma, GuardedMemory):
            self.guards = _Guard(self._dma, recorder, self.index)
            for area in self._owned:
                self._dma.name(area, f"ring of queue {self.index}")

    def in_flight(self) -> dict[int, tuple[memoryview, ...]]:
        """The memory of each buffer that the driver has given or is about to give to the device, by token."""
        if self._pool is None:
            return self.parts
        if self.guards is not None:
            kept = self.guards.parts
            return {number: tuple(part.copy.memory for part in kept[number]) for number in self._pool.tokens()}
        views = self._pool.views
        return {number: tuple(column[number] for column in views) for number in self._pool.tokens()}

    def add(self, readable: Sequence[Dma], writable: Sequence[Dma]) -> int:
        recorder = self.recorder
        guards = self.guards if not recorder.deviation else None
        copies: list[_Part] = []
        if guards is not None:
            copies = guards.copies([part.memory for part in readable], [part.memory for part in writable])
            given = [part.copy for part in copies]
            readable, writable = given[: len(readable)], given[len(readable) :]
        try:
            token: int = super().add(readable, writable)  # type: ignore[misc]  # of the queue in front of which this stands
        except BaseException:
            if guards is not None:
                guards.put_back(copies)
            raise
        if guards is not None:
            guards.keep(token, copies)
        self.parts[token] = tuple([part.memory for part in (*readable, *writable)])
        sizes = tuple([part.size for part in readable]), tuple([part.size for part in writable])
        recorder.add(Added(recorder.now(), self.index, token, *sizes))
        return token

    def completed(self) -> list[tuple[int, int]]:
        recorder, guards = self.recorder, self.guards
        if self._pool is not None:
            return super().completed()
        try:
            pairs = super().completed()
        except DeviceMisbehaved as error:
            recorder.add(Wrong(recorder.now(), self.index, error.rule, str(error)))
            raise
        for token, length in pairs:
            self.parts.pop(token, None)
            recorder.add(Used(recorder.now(), self.index, token, length))
            if guards is not None:
                guards.take(token)
                guards.drop(token)
        return pairs

    def interrupts(self, enabled: bool) -> bool:
        recorder = self.recorder
        recorder.add(Asked(recorder.now(), self.index, enabled))
        waiting: bool = super().interrupts(enabled)  # type: ignore[misc]
        return waiting

    def reset(self) -> list[int]:
        self.parts = {}
        if self.guards is not None:
            self.guards.drop_all()
        return super().reset()

    def close(self) -> None:
        if self.guards is not None:
            self.guards.free()
        super().close()


class _ObservedPool(_Pool):
    """The same for the buffers of a pool, whose copies stay."""

    def _observed(self) -> _Observed:
        return cast("_Observed", self.queue)

    def address(self, part: int, number: int) -> int:
        guards = self._observed().guards
        if guards is None:
            return super().address(part, number)
        if number not in guards.parts:
            memory = [column[number] for column in self.views]
            guards.parts[number] = guards.copies(memory[: self.readable], memory[self.readable :])
        return guards.parts[number][part].copy.address

    def publish(self, count: int, notify: bool = True) -> bool:
        recorder, index, guards = self._observed().recorder, self.queue.index, self._observed().guards
        readable, writable = self.parts[: self.readable], self.parts[self.readable :]
        if not self.queue.held and 0 < count <= self.free:
            for number in self.upcoming(count):
                recorder.add(Added(recorder.now(), index, number, readable, writable))
                for part in guards.parts[number] if guards is not None else ():
                    part.give()
        return super().publish(count, notify)

    def reap(self) -> int:
        recorder, index, guards = self._observed().recorder, self.queue.index, self._observed().guards
        try:
            got = super().reap()
        except DeviceMisbehaved as error:
            recorder.add(Wrong(recorder.now(), index, error.rule, str(error)))
            raise
        for number, length in zip(self.numbers[:got].tolist(), self.lengths[:got].tolist(), strict=True):
            recorder.add(Used(recorder.now(), index, number, length))
            if guards is not None:
                guards.take(number)
        return got

    def free_memory(self) -> None:
        guards = self._observed().guards
        if guards is not None:
            guards.drop_all()
        super().free_memory()


class ObservedSplitPool(_ObservedPool, SplitPool):
    """A pool on an observed split queue."""


class ObservedPackedPool(_ObservedPool, PackedPool):
    """A pool on an observed packed queue."""


class ObservedSplitQueue(_Observed, SplitQueue):
    """A split queue that is watched."""

    pool_class = ObservedSplitPool

    def make_available(self, count: int) -> None:
        """Recorded before it is done: the device may react to the store, and its effect must come after."""
        if self.guards is not None:
            self.guards.give()
        self.recorder.published(self.index, "avail.idx", self.avail_idx + count & 0xFFFF)
        super().make_available(count)


class ObservedPackedQueue(_Observed, PackedQueue):
    """A packed queue that is watched."""

    pool_class = ObservedPackedPool

    def make_available(self, first: int, word: int, descriptors: int, buffers: int) -> None:
        """See :meth:`ObservedSplitQueue.make_available`."""
        if self.guards is not None:
            self.guards.give()
        self.recorder.published(self.index, "descriptor flags", self.next_value())
        super().make_available(first, word, descriptors, buffers)


#: A queue that is watched, in either format.
Observed = ObservedSplitQueue | ObservedPackedQueue
