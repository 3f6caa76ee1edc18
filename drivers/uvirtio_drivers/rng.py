"""Entropy device (virtio 1.4, 5.4): one queue, device-writable buffers, no configuration."""

from __future__ import annotations

from typing import ClassVar

from uvirtio.access.dma import Dma
from uvirtio.device import Device
from uvirtio.errors import WorkloadFailed
from uvirtio.queue import Queue
from uvirtio.spec.features import Features
from uvirtio.spec.ids import DeviceType

from .workload import ConfigField, drain

__all__ = ["Rng", "RngWorkload"]

REQUESTQ = 0


class Rng:
    """The driver. ``read(n)`` gives n bytes of the device's entropy."""

    TYPE: ClassVar[int] = DeviceType.RNG
    FEATURES: ClassVar[Features] = Features()
    DEPENDENCIES: ClassVar[dict[int, tuple[int, ...]]] = {}
    WRITABLE: ClassVar[ConfigField | None] = None
    OPTIONS: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, device: Device) -> None:
        self.device = device

    @classmethod
    def queues(cls, device: Device) -> dict[int, int | None]:
        """The one request queue."""
        return {REQUESTQ: 64}

    def start(self) -> None:
        """Nothing to do: buffers are given when bytes are wanted."""

    def workload(self) -> RngWorkload:
        """Sixteen buffers of 64 bytes, kept going."""
        return RngWorkload(self.device)

    def read(self, count: int, timeout: float | None = None) -> bytes:
        """``count`` bytes. Raises :class:`DeviceTimeout` when the device does not deliver within the timeout (s)."""
        data = b""
        workload = RngWorkload(self.device, buffers=8, size=min(max(count, 1), 4096), keep=True)
        try:
            while len(data) < count:
                workload.submit(max(1, min(workload.room, -(-(count - len(data)) // workload.size))))
                workload.kick()
                drain(self.device, workload, timeout, doing="reading entropy")
                if not workload.harvest:
                    raise WorkloadFailed(
                        "the entropy device used a buffer without writing a byte (virtio 1.4, 5.4.6.2)"
                    )
                data += workload.harvest
                workload.harvest = b""
        finally:
            if workload.outstanding == 0:
                workload.close()
        return data[:count]


#: Two buffers that agree in this many bytes or more are the same buffer: by chance it happens once in 2^128.
TELLING = 16


class RngWorkload:
    """Buffers in flight; each has to come back exactly once, with fresh contents.

    Contents of :data:`TELLING` or more reported bytes must never be alike: a doubled or replayed completion shows as
    two buffers with the same bytes, and a buffer that was reported but not written shows as the fill pattern.
    """

    def __init__(self, device: Device, *, buffers: int = 16, size: int = 64, keep: bool = False) -> None:
        """``buffers`` of ``size`` bytes; ``keep`` collects the bytes in ``harvest``."""
        self._queue: Queue = device.queue(REQUESTQ)
        self.size = size
        buffers = min(buffers, self._queue.size)
        self._block: Dma = device.function.dma.allocate(buffers * size)
        self._idle = [self._block.part(number * size, size) for number in range(buffers)]
        self._flying: dict[int, tuple[Dma, bytes]] = {}
        self._seen: set[bytes] = set()
        self._keep = keep
        self.harvest = b""
        self.submitted = 0
        self.completed = 0
        self.received = 0
        self._fill = 0

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
            self._fill += 1
            pattern = self._fill.to_bytes(8, "little") * (self.size // 8) + b"\xa5" * (self.size % 8)
            buffer.memory[:] = pattern
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
        pairs = self._queue.completed()
        for token, length in pairs:
            if token not in self._flying:
                raise WorkloadFailed(f"the device returned buffer {token}, which is not in flight: returned twice?")
            buffer, pattern = self._flying.pop(token)
            data = bytes(buffer.memory[:length])
            self._idle.append(buffer)
            self.completed += 1
            self.received += length
            if length == 0:
                raise WorkloadFailed(
                    f"the device used buffer {token} with length 0; it must write at least one byte (virtio 1.4, 5.4.6.2)"
                )
            if length >= TELLING:
                if data == pattern[:length]:
                    raise WorkloadFailed(f"the device reported {length} bytes in buffer {token} but did not write them")
                head = data[:TELLING]
                if head in self._seen:
                    raise WorkloadFailed(f"the device delivered the same {TELLING} bytes twice: {head.hex()}")
                self._seen.add(head)
            if self._keep:
                self.harvest += data
        return len(pairs)

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
