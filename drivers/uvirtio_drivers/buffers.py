"""Equal buffers on one queue: those that wait for what the device sends, and those that carry what the driver sends."""

from __future__ import annotations

from uvirtio.access.dma import Dma
from uvirtio.device import Device
from uvirtio.errors import DeviceMisbehaved, QueueFull, UsageError
from uvirtio.queue import Queue
from uvirtio.status import Phase

__all__ = ["FILL", "ReceiveBuffers", "SendBuffers"]

#: What a receive buffer holds before the device gets it, so that what was not written shows.
FILL = 0xA5
#: Rounds of all buffers after which one that has not come back is lost: a device takes them in order.
_LAPS = 2


def _cut(block: Dma, count: int, size: int) -> list[Dma]:
    """``count`` buffers of ``size`` bytes out of a block that :func:`_block` gave."""
    step = block.size // count
    return [block.part(number * step, size) for number in range(count)]


def _block(device: Device, count: int, size: int) -> Dma:
    return device.dma.allocate(count * (-(-size // 64) * 64))


class ReceiveBuffers:
    """Up to ``count`` device-writable buffers of ``size`` bytes, kept with the device; what it puts in, :meth:`take` gives.

    They are owed no answer. While the device is suspended nothing is given back to it; :meth:`post` makes up for that.
    """

    def __init__(self, device: Device, queue: Queue, size: int, count: int, *, head: int = 0) -> None:
        """``head``: the first so many bytes are a descriptor of their own, as the legacy interface wants it for headers."""
        self._device = device
        self.queue = queue
        self.size = size
        self.count = min(count, queue.size // (2 if head else 1))
        self._block = _block(device, self.count, size)
        whole = _cut(self._block, self.count, size)
        self._idle: list[tuple[Dma, ...]] = [
            (part.part(0, head), part.part(head, size - head)) if head else (part,) for part in whole
        ]
        #: In the order of posting.
        self._posted: dict[int, tuple[Dma, ...]] = {}
        #: Buffers that have come back so far, and how many had when each was posted.
        self._taken = 0
        self._since: dict[int, int] = {}

    @property
    def posted(self) -> int:
        """Buffers that the device has."""
        return len(self._posted)

    def post(self, notify: bool = True) -> int:
        """Give all idle buffers to the device, if it is running; how many it was given."""
        if self._device.phase is not Phase.RUNNING or not self._idle:
            return 0
        count = len(self._idle)
        while self._idle:
            parts = self._idle.pop()
            for part in parts:
                part.memory[:] = bytes((FILL,)) * part.size
            token = self.queue.add((), parts)
            self._posted[token], self._since[token] = parts, self._taken
        self.queue.publish(notify)
        return count

    def take(self) -> list[bytes]:
        """Contents of the buffers that the device has used, in its order; the buffers are idle then.

        Raises :class:`DeviceMisbehaved`, as :meth:`Queue.completed` does, and for a buffer that was passed over: others
        that were posted after it have come back, more than two laps of them.
        """
        contents = []
        for token, length in self.queue.completed():
            parts = self._posted.pop(token)
            contents.append(b"".join(bytes(part.memory) for part in parts)[:length])
            self._idle.append(parts)
            self._taken += 1
            del self._since[token]
        self._check_order()
        return contents

    def _check_order(self) -> None:
        oldest = next(iter(self._posted), None)
        if oldest is not None and (passed := self._taken - self._since[oldest]) > _LAPS * self.count:
            raise DeviceMisbehaved(
                f"queue {self.queue.index}: buffer {oldest} has not come back, and {passed} buffers have since it was made "
                f"available, with {self.count} in flight at most: it is lost"
            )

    def close(self) -> None:
        """Give the memory back, once the device has been reset; before that, what it has stays the device's."""
        if self._device.queues.get(self.queue.index) is not self.queue:
            self._block.free()


class SendBuffers:
    """Up to ``count`` device-readable buffers of at most ``size`` bytes; the device owes each back once."""

    def __init__(self, device: Device, queue: Queue, size: int, count: int, *, head: int = 0) -> None:
        """``head``: see :class:`ReceiveBuffers`."""
        self.queue = queue
        self.size = size
        self._head = head
        count = min(count, queue.size // (2 if head else 1))
        self._device = device
        self._block = _block(device, count, size)
        self._idle = _cut(self._block, count, size)
        self._flying: dict[int, tuple[int, Dma]] = {}
        self.sent = 0
        self.returned = 0

    @property
    def room(self) -> int:
        """Buffers that can be put in now."""
        return min(len(self._idle), self.queue.free // (2 if self._head else 1))

    @property
    def outstanding(self) -> int:
        """Buffers that the device has."""
        return len(self._flying)

    def put(self, data: bytes) -> int:
        """Fill a buffer; :meth:`publish` shows it to the device. Returns its number, counted from 1.

        Raises :class:`UsageError` for data that is empty or too long, :class:`QueueFull`, :class:`SuspendedError` (D3).
        """
        if not 0 < len(data) <= self.size:
            raise UsageError(f"{len(data)} bytes do not fit a buffer of {self.size} bytes")
        if not self._idle:
            raise QueueFull(
                f"all {self.outstanding} buffers of queue {self.queue.index} are with the device; reap first"
            )
        buffer = self._idle[-1]
        buffer.memory[: len(data)] = data
        cut = self._head if len(data) > self._head else 0
        parts = [buffer.part(0, cut)] if cut else []
        token = self.queue.add([*parts, buffer.part(cut, len(data) - cut)], ())
        self.sent += 1
        self._flying[token] = self.sent, self._idle.pop()
        return self.sent

    def publish(self, notify: bool = True) -> None:
        """Make what was put in available, and notify if the device wants it."""
        self.queue.publish(notify)

    def reap(self) -> list[int]:
        """Take back what the device has used: the numbers of the buffers, in its order.

        Raises :class:`DeviceMisbehaved` for one that it does not have.
        """
        numbers = []
        for token, _ in self.queue.completed():
            # A token that is not here belongs to a pool that was lent; the queue knows all tokens and has checked this one.
            if (entry := self._flying.pop(token, None)) is not None:
                number, buffer = entry
                self._idle.append(buffer)
                numbers.append(number)
        self.returned += len(numbers)
        return numbers

    def returned_of(self, numbers: set[int]) -> set[int]:
        """Reap, then take out of ``numbers`` and return those that the device has given back, now or at any reap before.

        So several users of one queue can tell their own buffers. Raises :class:`DeviceMisbehaved`.
        """
        self.reap()
        back = numbers - {number for number, _ in self._flying.values()}
        numbers -= back
        return back

    @property
    def live(self) -> bool:
        """Whether the device may still have the buffers: it was not reset since."""
        return self._device.queues.get(self.queue.index) is self.queue

    def close(self) -> None:
        """Give the memory back, once the device has been reset; before that, what it has stays the device's."""
        if not self.live:
            self._block.free()
