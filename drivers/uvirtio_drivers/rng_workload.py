"""Entropy traffic: buffers that have to come back once each, with contents never seen before."""

from __future__ import annotations

from typing import ClassVar, Self

from uvirtio.access.dma import Dma
from uvirtio.device import Device
from uvirtio.errors import WorkloadFailed
from uvirtio.queue import Queue

from .rng import REQUESTQ, Freshness, Rng

__all__ = ["RngWorkload"]

#: Bytes of the first of two elements.
_FIRST = 21


class RngWorkload:
    """Buffers in flight; each has to come back exactly once, with fresh contents.

    Contents of :data:`~uvirtio_drivers.rng.TELLING` or more reported bytes must never be alike: a doubled or replayed
    completion shows as two buffers with the same bytes, and a buffer that was reported but not written shows as the
    fill pattern.
    """

    OPTIONS: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, device: Device, *, buffers: int = 16, size: int = 64) -> None:
        """``buffers`` of ``size`` bytes, each added by itself, so that whoever judges the device can watch each."""
        self._queue: Queue = device.queue(REQUESTQ)
        self.size = size
        buffers = min(buffers, self._queue.size)
        self._block: Dma = device.dma.allocate(buffers * size)
        self._idle = [self._block.part(number * size, size) for number in range(buffers)]
        self._flying: dict[int, tuple[Dma, bytes]] = {}
        self._fresh = Freshness()
        self.submitted = 0
        self.completed = 0
        self.received = 0

    @classmethod
    def of(cls, driver: Rng) -> Self:
        """Sixteen buffers of 64 bytes, kept going.

        Raises :class:`DeviceTimeout` where those of an earlier call do not come back.
        """
        driver.take_back()
        return cls(driver.device)

    @classmethod
    def harmless(cls, driver: Rng) -> Self:
        """The same: nothing is asked for before it is submitted."""
        return cls.of(driver)

    @property
    def outstanding(self) -> int:
        """Buffers that the device has and has not used."""
        return len(self._flying)

    @property
    def room(self) -> int:
        """Idle buffers that fit into the queue."""
        return min(len(self._idle), self._queue.free)

    def submit(self, count: int | None = None) -> int:
        """Make idle buffers available, each filled with a pattern of its own; one index store for all of them.

        Every second one is two elements, the first of a length that nothing is aligned to, where there are descriptors enough.
        """
        count = self.room if count is None else min(count, self.room)
        for left in range(count, 0, -1):
            buffer = self._idle.pop()
            buffer.memory[:] = pattern = self._fresh.pattern(self.size)
            parts: tuple[Dma, ...] = (buffer,)
            if left % 2 and self._queue.free > left and self.size > _FIRST:
                parts = (buffer.part(0, _FIRST), buffer.part(_FIRST, self.size - _FIRST))
            self._flying[self._queue.add((), parts)] = (buffer, pattern)
        if count:
            self._queue.publish(notify=False)
            self.submitted += count
        return count

    def kick(self) -> None:
        """Notify the queue, if the device wants it."""
        if self._flying:
            self._queue.publish()

    def reap(self) -> int:
        """Take what is used, and check it."""
        before = self.completed
        for token, length in self._queue.completed():
            # Those of a call that timed out are none of ours; that it is one in flight the queue has checked.
            if token not in self._flying:
                continue
            buffer, pattern = self._flying.pop(token)
            data = bytes(buffer.memory[:length])
            self._idle.append(buffer)
            self.completed += 1
            self.received += length
            self._fresh.check(token, data, pattern)
        return self.completed - before

    def leave(self) -> int:
        """See :class:`~uvirtio_drivers.workload.Workload`: there is no other queue that the device owes an answer on."""
        return 0

    def visit(self) -> int:
        """See :meth:`leave`."""
        return 0

    def verify(self) -> None:
        """Everything submitted has come back once."""
        if self._flying or self.submitted != self.completed:
            raise WorkloadFailed(
                f"{self.submitted} buffers were submitted and {self.completed} came back; {len(self._flying)} are missing"
            )

    def proves(self) -> str:
        """One sentence."""
        return "every buffer came back exactly once, with contents never seen before"

    def close(self) -> None:
        """Free the buffers. Only with nothing outstanding, or after a reset."""
        self._block.free()
