"""Equal buffers for one call on queues that carry single buffers otherwise: pools where there are many, else one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from uvirtio.access.dma import DmaMemory
from uvirtio.device import Device
from uvirtio.errors import DriverMisuse
from uvirtio.queue import Queue
from uvirtio.queue.pool import column_alignment
from uvirtio.spec.features import Feature

__all__ = ["Buffers", "Bulk", "batch"]

#: Most bytes of the buffers of one queue, unless one alone is larger.
_MEMORY = 1 << 20
#: From so many buffers on a pool is worth describing; below that, what it takes to make one is more than it saves.
_MANY = 32


class Buffers(Protocol):
    """What a call works with: the face that :class:`~uvirtio.queue.pool.Pool` and :class:`_Singles` have in common."""

    @property
    def count(self) -> int:
        """How many buffers there are."""

    @property
    def views(self) -> Sequence[Sequence[memoryview]]:
        """``views[p][n]`` is part p of buffer n."""

    @property
    def numbers(self) -> Sequence[int]:
        """The buffers that the last :meth:`reap` took back."""

    @property
    def lengths(self) -> Sequence[int]:
        """The bytes that the device wrote into each of them."""

    @property
    def free(self) -> int:
        """Buffers that are the driver's."""

    def upcoming(self, count: int) -> list[int]:
        """Which buffers the next :meth:`publish` of ``count`` gives to the device."""

    def publish(self, count: int, notify: bool = True) -> bool:
        """Make the next ``count`` buffers available. See :meth:`uvirtio.queue.Queue.publish`."""

    def reap(self) -> int:
        """Take back what the device has used: how many. Raises :class:`DeviceMisbehaved`."""

    def close(self) -> None:
        """Give the memory back, with nothing in flight."""


def batch(buffers: Buffers, left: int) -> int:
    """How many to publish now when ``left`` more are wanted: half of the buffers at once, or the last ones.

    Each batch may cost a notification, so that fewer wait until more are free.
    """
    most = min(left, buffers.free)
    return most if most >= min(left, -(-buffers.count // 2)) else 0


class _Singles:
    """Buffers that are described each time they are published."""

    def __init__(
        self, queue: Queue, dma: DmaMemory, count: int, readable: Sequence[int], writable: Sequence[int]
    ) -> None:
        self._queue = queue
        self.count = count
        self._columns = [dma.allocate(size * count, column_alignment(size)) for size in (*readable, *writable)]
        parts = [
            [
                column.part(size * number, size)
                for column, size in zip(self._columns, (*readable, *writable), strict=True)
            ]
            for number in range(count)
        ]
        self._parts = [(buffer[: len(readable)], buffer[len(readable) :]) for buffer in parts]
        self.views = [[part.memory for part in column] for column in zip(*parts, strict=True)]
        self._idle = list(range(count))
        self._flying: dict[int, int] = {}
        self.numbers: list[int] = []
        self.lengths: list[int] = []

    @property
    def free(self) -> int:
        return len(self._idle)

    def upcoming(self, count: int) -> list[int]:
        return self._idle[:count]

    def publish(self, count: int, notify: bool = True) -> bool:
        for _ in range(count):
            number = self._idle[0]
            self._flying[self._queue.add(*self._parts[number])] = number
            del self._idle[0]
        return self._queue.publish(notify)

    def reap(self) -> int:
        done = self._queue.completed()
        self.numbers = [self._flying.pop(token) for token, _ in done]
        self.lengths = [length for _, length in done]
        self._idle += self.numbers
        return len(done)

    def take_note(self) -> None:
        """Those that somebody else has reaped from the queue are back, too."""
        if not self._queue.state().added:
            there = set(self._queue.tokens())
            self._idle += [self._flying.pop(token) for token in list(self._flying) if token not in there]

    def close(self) -> None:
        for column in self._columns:
            column.free()


class Bulk:
    """Lends equal buffers on a device's queues, to one call at a time.

    What the device still has when a call ends in an error stays its own, and the queue that call's, until it comes back.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._left: list[tuple[Queue, Buffers]] = []

    @contextmanager
    def lent(
        self, queues: Sequence[Queue], wanted: int, readable: Sequence[int], writable: Sequence[int]
    ) -> Iterator[list[Buffers]]:
        """Up to ``wanted`` buffers of these parts (bytes) on each queue; given back at the end.

        Raises :class:`DriverMisuse` where other buffers are in flight, :class:`DeviceTimeout` where those of an earlier call
        still do not come back.
        """
        self.take_back()
        for queue in queues:
            if queue.outstanding:
                raise DriverMisuse(
                    f"queue {queue.index}: {queue.outstanding} other buffers are in flight; take them back before this"
                )
        lent: list[tuple[Queue, Buffers]] = []
        try:
            for queue in queues:
                lent.append((queue, self._buffers(queue, wanted, readable, writable)))
            yield [buffers for _, buffers in lent]
        finally:
            self._left += lent
            self._close()

    def _buffers(self, queue: Queue, wanted: int, readable: Sequence[int], writable: Sequence[int]) -> Buffers:
        assert self._device.negotiated is not None, "buffers are lent on a negotiated device"
        accepted, parts = self._device.negotiated.accepted, (*readable, *writable)
        each = 1 if Feature.INDIRECT_DESC in accepted else len(parts)
        most = max(1, min(queue.size // each, _MEMORY // sum(parts)))
        if wanted >= _MANY and most >= _MANY:
            if Feature.IN_ORDER not in accepted or Feature.RING_PACKED in accepted:
                return queue.pool(min(most, wanted), readable, writable)
            # There a split ring's descriptors are used in ring order, all of them (2.7.5).
            if each == 1 and most == queue.size:
                return queue.pool(most, readable, writable)
        return _Singles(queue, self._device.dma, min(most, wanted), readable, writable)

    def settle(self) -> bool:
        """Take back what an earlier call has left with the device, as far as it is used; whether nothing is left.

        Raises :class:`DeviceMisbehaved`.
        """
        if self._left:
            for queue, buffers in self._left:
                if self._alive(queue):
                    buffers.reap()
                    if isinstance(buffers, _Singles):
                        buffers.take_note()
            self._close()
        return not self._left

    def take_back(self) -> None:
        """Wait until nothing of an earlier call is left with the device. Raises :class:`DeviceTimeout`."""
        if self._left:
            queues = [queue for queue, _ in self._left]
            self._device.wait_for(self.settle, doing="taking back what an earlier call left", queues=queues)

    def _alive(self, queue: Queue) -> bool:
        return self._device.queues.get(queue.index) is queue

    def _close(self) -> None:
        """Close what is back whole, or was taken from the device by a reset, which frees the memory of pools itself."""
        still = []
        for queue, buffers in self._left:
            if buffers.free == buffers.count or (isinstance(buffers, _Singles) and not self._alive(queue)):
                buffers.close()
            elif self._alive(queue):
                still.append((queue, buffers))
        self._left = still
