"""Entropy device (virtio 1.4, 5.4): one queue, device-writable buffers, no configuration."""

from __future__ import annotations

from typing import ClassVar

from uvirtio.device import Device
from uvirtio.errors import WorkloadFailed
from uvirtio.spec.features import Features
from uvirtio.spec.ids import DeviceType

from .bulk import Buffers, Bulk, batch
from .workload import WritableField

__all__ = ["Rng"]

REQUESTQ = 0
#: Largest buffer that is asked for (bytes).
_LARGEST = 4096


class Rng:
    """The driver. ``read(n)`` gives n bytes of the device's entropy."""

    TYPE: ClassVar[int] = DeviceType.RNG
    FEATURES: ClassVar[Features] = Features()
    DEPENDENCIES: ClassVar[dict[int, tuple[int, ...]]] = {}
    WRITABLE: ClassVar[WritableField | None] = None

    def __init__(self, device: Device) -> None:
        self.device = device
        self._bulk = Bulk(device)

    @classmethod
    def queues(cls, device: Device) -> dict[int, int | None]:
        """The one request queue."""
        return {REQUESTQ: 64}

    def start(self) -> None:
        """Nothing to do: buffers are given when bytes are wanted."""

    def take_back(self) -> None:
        """Wait until nothing of a call that timed out is left with the device. Raises :class:`DeviceTimeout`."""
        self._bulk.take_back()

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
                f"the device used buffer {token} with length 0; it must write at least one byte (virtio 1.4, 5.4.6.2)",
                rule="random bytes",
            )
        if length >= TELLING:
            # The end tells: a device that says too much may have written the beginning.
            if data[-TELLING:] == pattern[length - TELLING : length]:
                raise WorkloadFailed(
                    f"the device reported {length} bytes in buffer {token} but did not write them all (virtio 1.4, 2.7.8.2)",
                    rule="used length",
                )
            head = data[:TELLING]
            if head in self._seen:
                raise WorkloadFailed(
                    f"the device delivered the same {TELLING} bytes twice: {head.hex()}", rule="random bytes"
                )
            self._seen.add(head)
