"""Requests of a block device on their way through the request queues (virtio 1.4, 5.2.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from uvirtio.access.dma import Dma, DmaMemory
from uvirtio.device import Device
from uvirtio.errors import DeviceError, DeviceMisbehaved, QueueFull, RequestFailed, RequestUnsupported
from uvirtio.queue import Queue
from uvirtio.spec.formats.blk import HEADER, SECTOR, STATUS_SIZE, RequestStatus, RequestType

__all__ = ["LONGEST", "UNTOUCHED", "Limits", "Request", "Requests", "describe", "judge", "split"]

#: What the status byte and fresh read buffers hold before the device gets them; no status of the specification.
UNTOUCHED = 0xA5
#: Most bytes of data in one request, whatever the device allows.
LONGEST = 1 << 18
_FILL = memoryview(bytes((UNTOUCHED,)) * LONGEST)

_WORDS: dict[int, str] = {
    RequestType.IN: "read",
    RequestType.OUT: "write",
    RequestType.FLUSH: "flush",
    RequestType.GET_ID: "get id",
    RequestType.DISCARD: "discard",
    RequestType.WRITE_ZEROES: "write zeroes",
}
#: Requests whose data the device writes.
_TO_DRIVER = frozenset({RequestType.IN, RequestType.GET_ID, RequestType.GET_LIFETIME})


class Limits(NamedTuple):
    """What one request may carry: at most ``segments`` pieces of data of at most ``segment`` bytes each.

    ``unit``: the logical block in bytes, a multiple of 512; whole ones go into each request. ``longest`` caps a request.
    """

    segments: int
    segment: int
    unit: int = SECTOR
    longest: int = LONGEST

    @property
    def request(self) -> int:
        """Most bytes of data in one request, in whole units; 0 where not even one unit fits."""
        most = min(self.segments * self.segment, max(self.longest, self.unit))
        return most - most % self.unit

    def sizes(self, length: int) -> list[int]:
        """The segments that so much data is cut into."""
        return [min(self.segment, length - offset) for offset in range(0, length, self.segment)]

    def pieces(self, data: Dma) -> list[Dma]:
        """The data cut into segments."""
        if data.size <= self.segment:
            return [data] if data.size else []
        return [data.part(number * self.segment, size) for number, size in enumerate(self.sizes(data.size))]


def split(sector: int, length: int, most: int) -> Iterator[tuple[int, int]]:
    """``length`` bytes from ``sector`` on as (sector, bytes) of at most ``most`` bytes, in order.

    ``length`` and ``most`` are multiples of 512, ``most`` above 0.
    """
    for offset in range(0, length, most):
        yield sector + offset // SECTOR, min(most, length - offset)


def describe(kind: int, sector: int, length: int) -> str:
    """A request in words, for a message."""
    text = _WORDS.get(kind, f"request type {kind}")
    return f"{text} of {length} bytes at sector {sector}" if kind in (RequestType.IN, RequestType.OUT) else text


def judge(
    status: int, written: int, expected: int, words: str, where: str, *, exact: bool = True
) -> DeviceError | None:
    """What is wrong with the answer to a request, described by ``words``: its status byte, and how many bytes were written.

    ``expected`` counts the status byte; ``exact``: hold the device to that number.
    """
    if status == UNTOUCHED:
        return DeviceMisbehaved(
            f"{where}: the device used a request ({words}) without writing its status byte; used length {written}"
        )
    if status == RequestStatus.IOERR:
        return RequestFailed(f"{where}: the device answered IOERR to a {words}")
    if status == RequestStatus.UNSUPP:
        return RequestUnsupported(f"{where}: the device answered UNSUPP to a {words}: it does not know that")
    if status != RequestStatus.OK:
        return DeviceMisbehaved(
            f"{where}: the device answered a {words} with status {status:#04x}; there are 0, 1 and 2 (virtio 1.4, 5.2.6)"
        )
    # Some devices do not count the status byte. That it was written shows above, and a device may write more than it
    # says (2.7.8.2), so nothing but a length that leaves out data is held against it.
    if exact and written not in (expected, expected - STATUS_SIZE):
        return DeviceMisbehaved(
            f"{where}: the device says that it wrote {written} bytes for a {words}; "
            f"data and status byte are {expected} (virtio 1.4, 2.7.8.2)"
        )
    return None


class Request:
    """One request and its memory: header, up to ``capacity`` bytes of data, status byte. Can be prepared again when done.

    ``done``: the device has used it; ``error`` then says what was wrong with the answer, None for success.
    """

    __slots__ = (
        "_block",
        "_data",
        "_header",
        "_status",
        "abandoned",
        "capacity",
        "done",
        "error",
        "kind",
        "length",
        "sector",
    )

    def __init__(self, dma: DmaMemory, capacity: int) -> None:
        self.capacity = capacity
        room = -(-capacity // 16) * 16
        # The data comes first and aligned to a page: a host that reads straight into it can.
        self._block = dma.allocate(room + HEADER.size + STATUS_SIZE, 4096)
        self._data = self._block.part(0, capacity)
        self._header = self._block.part(room, HEADER.size)
        self._status = self._block.part(room + HEADER.size, STATUS_SIZE)
        self.kind: int = RequestType.IN
        self.sector = 0
        self.length = 0
        self.done = True
        self.abandoned = False
        self.error: DeviceError | None = None

    def prepare(self, kind: int, sector: int = 0, data: bytes | None = None, length: int = 0) -> Request:
        """Fill in a request: ``data`` for the device to read, or room for ``length`` bytes for it to write."""
        assert self.done, "the request is in flight"
        self.kind, self.sector = kind, sector
        self.length = length if data is None else len(data)
        self._header.memory[:] = HEADER.pack(kind, 0, sector)
        if data is not None:
            self._data.memory[: self.length] = data
        elif length <= LONGEST:
            self._data.memory[:length] = _FILL[:length]
        else:
            self._data.memory[:length] = bytes((UNTOUCHED,)) * length
        self._status.memory[0] = UNTOUCHED
        self.error = None
        return self

    def parts(self, limits: Limits) -> tuple[list[Dma], list[Dma]]:
        """Device-readable and device-writable parts, in order."""
        data = limits.pieces(self._data.part(0, self.length))
        if self.kind in _TO_DRIVER:
            return [self._header], [*data, self._status]
        return [self._header, *data], [self._status]

    @property
    def data(self) -> bytes:
        """The data as it is in memory now."""
        return bytes(self._data.memory[: self.length])

    @property
    def words(self) -> str:
        """The request in words, for a message."""
        return describe(self.kind, self.sector, self.length)

    def finish(self, written: int, *, exact: bool, where: str) -> None:
        """The device used it and says that it wrote so many bytes; ``exact``: hold it to that number."""
        self.done = True
        self.error = self._judge(written, exact, where)

    def _judge(self, written: int, exact: bool, where: str) -> DeviceError | None:
        expected = STATUS_SIZE + (self.length if self.kind in _TO_DRIVER else 0)
        return judge(self._status.memory[0], written, expected, self.words, where, exact=exact)

    def free(self) -> None:
        """Give the memory back, now or, while the device still has it, when the request comes back."""
        self.abandoned = True
        if self.done:
            self.release()

    def release(self) -> None:
        """Give the memory back now. Only when the device cannot reach it: it is done, or the device has been reset."""
        self._block.free()


class Requests:
    """All requests in flight over all request queues of a device; each comes back exactly once, or the queue raises."""

    def __init__(self, device: Device, queues: Sequence[Queue], limits: Limits) -> None:
        self.limits = limits
        self.queues = list(queues)
        self._flying: list[dict[int, Request]] = [{} for _ in queues]
        self._next = 0
        #: Whether used lengths are held against the device: those of a legacy one are known to be wrong (2.7.8.1).
        self.exact = device.transport.kind != "legacy"
        self._where = device.function.locator

    @property
    def outstanding(self) -> int:
        """Requests that the device has."""
        return sum(map(len, self._flying))

    def room(self, length: int) -> int:
        """How many more requests with this much data fit into the queues."""
        needed = 2 + -(-length // self.limits.segment)
        return sum(queue.free // needed for queue in self.queues)

    def submit(self, request: Request) -> None:
        """Put a prepared request into the next queue with room; :meth:`publish` shows it to the device.

        Raises :class:`QueueFull`, :class:`SuspendedError`.
        """
        readable, writable = request.parts(self.limits)
        for turn in range(len(self.queues)):
            number = (self._next + turn) % len(self.queues)
            if self.queues[number].free >= len(readable) + len(writable):
                token = self.queues[number].add(readable, writable)
                self._flying[number][token] = request
                request.done = False
                self._next = number + 1
                return
        raise QueueFull(
            f"{self._where}: no request queue has room for a {request.words}; {self.outstanding} are in flight"
        )

    def publish(self, notify: bool = True) -> None:
        """Make what was submitted available, and notify the queues whose device side wants it."""
        for queue, flying in zip(self.queues, self._flying, strict=True):
            if flying:
                queue.publish(notify)

    def reap(self) -> list[Request]:
        """Take what is used now; each request says itself how it went. Raises :class:`DeviceMisbehaved`."""
        finished = []
        for queue, flying in zip(self.queues, self._flying, strict=True):
            for token, written in queue.completed():
                # A token that is not here belongs to a pool that was lent; the queue knows all tokens and has checked this one.
                if (request := flying.pop(token, None)) is None:
                    continue
                request.finish(written, exact=self.exact, where=f"{self._where}: queue {queue.index}")
                finished.append(request)
                if request.abandoned:
                    request.free()
        return finished
