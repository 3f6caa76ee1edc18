"""Entropy device (virtio 1.4, 5.4): one queue, device-writable buffers, no configuration."""

from __future__ import annotations

from typing import ClassVar

from uvirtio.access.dma import Dma
from uvirtio.device import Device
from uvirtio.errors import WorkloadFailed
from uvirtio.queue import Queue
from uvirtio.spec.features import Features
from uvirtio.spec.ids import DeviceType

from .bulk import Buffers, Bulk, batch
from .workload import ConfigField

__all__ = ["Rng", "RngWorkload"]

REQUESTQ = 0
#: Largest buffer that is asked for (bytes).
_LARGEST = 4096


class Rng:
    """The driver. ``read(n)`` gives n bytes of the device's entropy."""

    TYPE: ClassVar[int] = DeviceType.RNG
    FEATURES: ClassVar[Features] = Features()
    DEPENDENCIES: ClassVar[dict[int, tuple[int, ...]]] = {}
    WRITABLE: ClassVar[ConfigField | None] = None
    OPTIONS: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, device: Device) -> None:
        self.device = device
        self._bulk = Bulk(device)

    @classmethod
    def queues(cls, device: Device) -> dict[int, int | None]:
        """The one request queue."""
        return {REQUESTQ: 64}

    def start(self) -> None:
        """Nothing to do: buffers are given when bytes are wanted."""

    def workload(self) -> RngWorkload:
        """Sixteen buffers of 64 bytes, kept going."""
        self._bulk.take_back()
        return RngWorkload(self.device)

    def read(self, count: int, timeout: float | None = None) -> bytes:
        """``count`` bytes, by as many requests at once as that takes and the queue has room for.

        Raises :class:`DeviceTimeout` when the device does not deliver within the timeout (s), :class:`WorkloadFailed` for
        contents that are none, :class:`DriverMisuse` while other buffers are in flight.
        """
        if count <= 0:
            return b""
        size = min(count, _LARGEST)
        queue = self.device.queue(REQUESTQ)
        with self._bulk.lent([queue], -(-count // size), (), (size,)) as (buffers,):
            reading = _Reading(buffers, count, size)
            self.device.wait_for(reading.step, timeout, doing="reading entropy", queues=[queue])
        return b"".join(reading.pieces)[:count]


class _Reading:
    """``count`` bytes on their way through buffers of ``size`` bytes."""

    def __init__(self, buffers: Buffers, count: int, size: int) -> None:
        self._buffers = buffers
        self._missing = count
        self._size = size
        self._patterns = [b""] * buffers.count
        self._fresh = Freshness()
        self.pieces: list[bytes] = []

    def step(self) -> bool:
        """Take what is there and ask for what is missing; whether all of it is there and no request is under way."""
        buffers, views, patterns = self._buffers, self._buffers.views[0], self._patterns
        got = buffers.reap()
        for number, length in zip(buffers.numbers[:got], buffers.lengths[:got], strict=True):
            data = bytes(views[number][:length])
            self._fresh.check(number, data, patterns[number])
            self.pieces.append(data)
            self._missing -= length
        under_way = buffers.count - buffers.free
        if self._missing <= 0:
            return not under_way
        wanted = -(-self._missing // self._size) - under_way
        if wanted > 0 and (more := batch(buffers, wanted)):
            for number in buffers.upcoming(more):
                views[number][:] = patterns[number] = self._fresh.pattern(self._size)
            buffers.publish(more)
        return False


#: Two buffers that agree in this many bytes or more are the same buffer: by chance it happens once in 2^128.
TELLING = 16


class Freshness:
    """Tells buffers that were filled with something new from those that were not, or with something old."""

    def __init__(self) -> None:
        self._fill = 0
        self._seen: set[bytes] = set()

    def pattern(self, size: int) -> bytes:
        """What to put into a buffer of so many bytes before the device gets it; never the same twice."""
        self._fill += 1
        return self._fill.to_bytes(8, "little") * (size // 8) + b"\xa5" * (size % 8)

    def check(self, token: int, data: bytes, pattern: bytes) -> None:
        """Raise :class:`WorkloadFailed` for what the device says that it wrote, where that cannot be."""
        length = len(data)
        if length == 0:
            raise WorkloadFailed(
                f"the device used buffer {token} with length 0; it must write at least one byte (virtio 1.4, 5.4.6.2)"
            )
        if length >= TELLING:
            # The end tells: a device that says too much may have written the beginning.
            if data[-TELLING:] == pattern[length - TELLING : length]:
                raise WorkloadFailed(
                    f"the device reported {length} bytes in buffer {token} but did not write them all (virtio 1.4, 2.7.8.2)"
                )
            head = data[:TELLING]
            if head in self._seen:
                raise WorkloadFailed(f"the device delivered the same {TELLING} bytes twice: {head.hex()}")
            self._seen.add(head)


class RngWorkload:
    """Buffers in flight; each has to come back exactly once, with fresh contents.

    Contents of :data:`TELLING` or more reported bytes must never be alike: a doubled or replayed completion shows as
    two buffers with the same bytes, and a buffer that was reported but not written shows as the fill pattern.
    """

    def __init__(self, device: Device, *, buffers: int = 16, size: int = 64) -> None:
        """``buffers`` of ``size`` bytes, each added by itself, so that whoever judges the device can watch each."""
        self._queue: Queue = device.queue(REQUESTQ)
        self.size = size
        buffers = min(buffers, self._queue.size)
        self._block: Dma = device.function.dma.allocate(buffers * size)
        self._idle = [self._block.part(number * size, size) for number in range(buffers)]
        self._flying: dict[int, tuple[Dma, bytes]] = {}
        self._fresh = Freshness()
        self.submitted = 0
        self.completed = 0
        self.received = 0

    @property
    def outstanding(self) -> int:
        """Buffers that the device has and has not used."""
        return len(self._flying)

    @property
    def room(self) -> int:
        """Idle buffers that fit into the queue."""
        return min(len(self._idle), self._queue.free)

    def submit(self, count: int | None = None) -> int:
        """Make idle buffers available, each filled with a pattern of its own; one index store for all of them."""
        count = self.room if count is None else min(count, self.room)
        for _ in range(count):
            buffer = self._idle.pop()
            buffer.memory[:] = pattern = self._fresh.pattern(self.size)
            self._flying[self._queue.add((), (buffer,))] = (buffer, pattern)
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
