"""Queues and pools that tell a recorder what happens to their buffers, and remember which memory each consists of.

They are classes of their own, so that a queue that nobody watches pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from ..access.dma import Dma
from ..access.trace import Added, Asked, Recorder, Used, Wrong
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


class _Observed(_Queue):
    """What is done to a queue, told; ``parts``: the memory of each buffer that is added or in flight, by token."""

    # Without slots, since a queue has some already: these two lie in a dictionary.
    recorder: Recorder
    parts: dict[int, tuple[memoryview, ...]]

    def watch(self, recorder: Recorder) -> None:
        """Tell this recorder, from now on."""
        self.recorder = recorder
        self.parts = {}

    def in_flight(self) -> dict[int, tuple[memoryview, ...]]:
        """The memory of each buffer that the driver has given or is about to give to the device, by token."""
        if self._pool is not None:
            views = self._pool.views
            return {number: tuple(column[number] for column in views) for number in self._pool.tokens()}
        return self.parts

    def add(self, readable: Sequence[Dma], writable: Sequence[Dma]) -> int:
        token: int = super().add(readable, writable)  # type: ignore[misc]  # of the queue in front of which this stands
        self.parts[token] = (*(part.memory for part in readable), *(part.memory for part in writable))
        recorder = self.recorder
        recorder.add(
            Added(
                recorder.now(), self.index, token,
                tuple(part.size for part in readable), tuple(part.size for part in writable),
            )
        )  # fmt: skip
        return token

    def completed(self) -> list[tuple[int, int]]:
        recorder = self.recorder
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
        return pairs

    def interrupts(self, enabled: bool) -> bool:
        recorder = self.recorder
        recorder.add(Asked(recorder.now(), self.index, enabled))
        waiting: bool = super().interrupts(enabled)  # type: ignore[misc]
        return waiting

    def reset(self) -> list[int]:
        self.parts = {}
        return super().reset()


class _ObservedPool(_Pool):
    """The same for the buffers of a pool."""

    def _recorder(self) -> Recorder:
        return cast("_Observed", self.queue).recorder

    def publish(self, count: int, notify: bool = True) -> bool:
        recorder, index = self._recorder(), self.queue.index
        readable, writable = self.parts[: self.readable], self.parts[self.readable :]
        if not self.queue.held and 0 < count <= self.free:
            for number in self.upcoming(count):
                recorder.add(Added(recorder.now(), index, number, readable, writable))
        return super().publish(count, notify)

    def reap(self) -> int:
        recorder, index = self._recorder(), self.queue.index
        try:
            got = super().reap()
        except DeviceMisbehaved as error:
            recorder.add(Wrong(recorder.now(), index, error.rule, str(error)))
            raise
        for number, length in zip(self.numbers[:got].tolist(), self.lengths[:got].tolist(), strict=True):
            recorder.add(Used(recorder.now(), index, number, length))
        return got


class ObservedSplitPool(_ObservedPool, SplitPool):
    """A pool on an observed split queue."""


class ObservedPackedPool(_ObservedPool, PackedPool):
    """A pool on an observed packed queue."""


class ObservedSplitQueue(_Observed, SplitQueue):
    """A split queue that is watched."""

    pool_class = ObservedSplitPool

    def make_available(self, count: int) -> None:
        """Recorded before it is done: the device may react to the store, and its effect must come after."""
        self.recorder.published(self.index, "avail.idx", self.avail_idx + count & 0xFFFF)
        super().make_available(count)


class ObservedPackedQueue(_Observed, PackedQueue):
    """A packed queue that is watched."""

    pool_class = ObservedPackedPool

    def make_available(self, first: int, word: int, descriptors: int, buffers: int) -> None:
        """See :meth:`ObservedSplitQueue.expose`."""
        self.recorder.published(self.index, "descriptor flags", self.next_value())
        super().make_available(first, word, descriptors, buffers)


#: A queue that is watched, in either format.
Observed = ObservedSplitQueue | ObservedPackedQueue
