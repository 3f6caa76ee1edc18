"""Faults of Q statements: rings, buffers, used entries, queue reset (2.6 to 2.8, 6.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ..spec import split
from ..spec.status import Status
from .behaviour import Behaviour
from .common import CommonConfig
from .device import VirtioDevice
from .queue import DeviceQueue
from .ring import Chain, Ring
from .ring_split import SplitRing
from .rng import Rng

__all__ = ["FAULTS"]

_SCRIBBLE = b"\x5a"


class Q1(CommonConfig):
    """Goes on with what was in process at a queue reset."""

    def _reset_queue(self, queue: DeviceQueue, value: int) -> None:
        late = [place for request in queue.in_process for place in request.chain.writable]
        super()._reset_queue(queue, value)
        if late:
            clock, memory, address = self._device.clock, self._device.memory, late[0][0]
            clock.call_at(clock.now() + 0.02, lambda: memory.write(address, _SCRIBBLE))


class Q1Enabled(CommonConfig):
    """queue_enable of a queue that was reset still reads 1."""

    _was_reset = False

    def _reset_queue(self, queue: DeviceQueue, value: int) -> None:
        super()._reset_queue(queue, value)
        self._was_reset = True

    def _queue_value(self, queue: DeviceQueue, name: str) -> int:
        if not self._device.status:
            self._was_reset = False
        return 1 if name == "queue_enable" and self._was_reset else super()._queue_value(queue, name)


class Q2(DeviceQueue):
    """Goes on in the ring where it was, when it is enabled again after a reset of its own."""

    _before: Ring | None = None

    def reset(self) -> None:
        """See :class:`DeviceQueue`."""
        before = self.ring
        super().reset()
        self._before = before

    def enable(self) -> None:
        """See :class:`DeviceQueue`."""
        super().enable()
        # Before DRIVER_OK the whole device was reset.
        if self._before is not None and cast("VirtioDevice", self.device).status & Status.DRIVER_OK:
            self.ring = self._before


class Q3(DeviceQueue):
    """Scribbles into what it may only read."""

    def finish(self, chain: Chain, written: int, skipped: Sequence[Chain] = ()) -> None:
        """See :class:`DeviceQueue`."""
        if chain.readable:
            address, length = chain.readable[0]
            chain.memory.write(address + length - 1, _SCRIBBLE)
        super().finish(chain, written, skipped)


class Q4(DeviceQueue):
    """Writes one byte more than there is room for."""

    def finish(self, chain: Chain, written: int, skipped: Sequence[Chain] = ()) -> None:
        """See :class:`DeviceQueue`."""
        if chain.writable:
            address, length = chain.writable[-1]
            chain.memory.write(address + length, _SCRIBBLE)
        super().finish(chain, written, skipped)


class Q5(SplitRing):
    """Makes a mark in the descriptor of each buffer that it uses."""

    def push(self, chain: Chain, written: int, skipped: Sequence[Chain] = ()) -> None:
        """See :class:`SplitRing`."""
        self._memory.write(self._descriptors + split.DESC_SIZE * chain.id + 8, _SCRIBBLE)
        super().push(chain, written, skipped)


class Q6(SplitRing):
    """Names another buffer than the one that it has used."""

    def push(self, chain: Chain, written: int, skipped: Sequence[Chain] = ()) -> None:
        """See :class:`SplitRing`."""
        chain.id ^= self._size - 1
        super().push(chain, written, skipped)


class Q7(DeviceQueue):
    """Counts one byte too many."""

    def finish(self, chain: Chain, written: int, skipped: Sequence[Chain] = ()) -> None:
        """See :class:`DeviceQueue`."""
        super().finish(chain, chain.writable_size + 1, skipped)


class Q7Second(Rng):
    """Fills the first writable element of a buffer, and says that it filled them all."""

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        """See :class:`Rng`."""
        said = chain.writable_size
        del chain.writable[1:]
        super().request(queue, chain)
        return said


class Q8(SplitRing):
    """Sets a flag of the used ring that nobody knows."""

    def push(self, chain: Chain, written: int, skipped: Sequence[Chain] = ()) -> None:
        """See :class:`SplitRing`."""
        super().push(chain, written, skipped)
        self._memory.store16(self._device, 2)


class Q9(Behaviour):
    """Takes a notification of nothing for the end of the world."""

    def kicked(self, queue: DeviceQueue) -> None:
        """See :class:`Behaviour`."""
        if queue.enabled and queue.ring is not None and not queue.ring.available():
            self.fail("notified of nothing")
        else:
            super().kicked(queue)


class Q10(DeviceQueue):
    """Completes what came in last first, whatever was negotiated, and takes its time over the rest."""

    _next = 0.0

    def _complete_ready(self) -> None:
        clock, ready = self.device.clock, [request for request in self.in_process if request.ready]
        if not ready or clock.now() < self._next:
            return
        self.in_process.remove(ready[-1])
        self.finish(ready[-1].chain, self.device.model.request(self, ready[-1].chain))
        self._next = clock.now() + 1e-3
        clock.call_at(self._next, self._due)


#: Name -> what it changes.
FAULTS: dict[str, tuple[type, ...]] = {
    fault.__name__: (fault,) for fault in (Q1, Q2, Q3, Q4, Q5, Q6, Q7, Q8, Q9, Q10)
} | {"Q1-enabled": (Q1Enabled,), "Q7-second": (Q7Second,)}
