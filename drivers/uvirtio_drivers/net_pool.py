"""Frames of one length in pools of transmit buffers: prepared ones that are sent again and again, and many different ones."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from uvirtio.device import Device
from uvirtio.errors import UsageError
from uvirtio.queue import Queue

from .bulk import Buffers, batch

__all__ = ["AlikeFrames", "FramePool"]


class FramePool:
    """``count`` transmit buffers that hold ``frames``, all of one length, over and over; made by :meth:`Net.prepare`.

    It has the transmit queue of a pair to itself until it is closed. Frames go out in the order of the buffers, round and round, as
    long as the device gives buffers back in order.
    """

    def __init__(self, device: Device, queue: Queue, frames: Sequence[bytes], header: bytes, head: int) -> None:
        """Raises :class:`UsageError` for frames of different lengths, :class:`DriverMisuse` while frames are in flight."""
        if len({len(frame) for frame in frames}) != 1:
            raise UsageError("prepared frames are at least one, and all of one length")
        self._device = device
        self._queue = queue
        size = len(header) + len(frames[0])
        parts = (head, size - head) if head else (size,)
        each = 1 if len(parts) == 1 else 2
        self.pool = queue.pool(queue.size // each, parts)
        for number in range(self.pool.count):
            data = header + frames[number % len(frames)]
            for column, part in zip(self.pool.views, (data[:head], data[head:]) if head else (data,), strict=True):
                column[number][:] = part

    @property
    def free(self) -> int:
        """Frames that can be published now."""
        return self.pool.free

    def publish(self, count: int, notify: bool = True) -> bool:
        """Give the next ``count`` frames to the device; whether it was notified. Raises :class:`QueueFull`, SuspendedError."""
        return self.pool.publish(count, notify)

    def reap(self) -> int:
        """Take back what the device has sent; how many frames. Raises :class:`DeviceMisbehaved`."""
        return self.pool.reap()

    def transmit(self, count: int, timeout: float | None = None) -> None:
        """Send ``count`` frames, however many fit at once, and wait until all buffers are back. Raises :class:`DeviceTimeout`."""
        left = count

        def sent() -> bool:
            nonlocal left
            self.pool.reap()
            if batch := min(left, self.pool.free):
                self.pool.publish(batch)
                left -= batch
            return not left and self.pool.free == self.pool.count

        self._device.wait_for(sent, timeout, doing=f"transmitting {count} prepared frames", queues=[self._queue])

    def close(self) -> None:
        """Give the queue back to :meth:`Net.transmit`. Raises :class:`DriverMisuse` while frames are in flight."""
        self.pool.close()

    def __enter__(self) -> FramePool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # After an error frames may still be with the device; then the pool stays its until the reset.
        if kind is None:
            self.close()


class AlikeFrames:
    """``frames``, all of one length, on their way through buffers that were lent for them; in order."""

    def __init__(self, buffers: Buffers, frames: Sequence[bytes], header: bytes, head: int) -> None:
        """``head``: how much of the header is a part of its own, all or nothing of it."""
        self._buffers = buffers
        self._frames = frames
        self._position = 0
        behind = len(header) - head
        for view in buffers.views[0]:
            view[: len(header)] = header
        #: Where the frame is in each buffer.
        self._places = [view[behind:] for view in buffers.views[-1]]

    def step(self) -> bool:
        """Take buffers back and send more; whether all frames are sent and all buffers back."""
        buffers, frames = self._buffers, self._frames
        buffers.reap()
        if more := batch(buffers, len(frames) - self._position):
            for number in buffers.upcoming(more):
                self._places[number][:] = frames[self._position]
                self._position += 1
            buffers.publish(more)
        return self._position == len(frames) and buffers.free == buffers.count
