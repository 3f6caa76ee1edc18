"""Block device (virtio 1.4, 5.2): sectors of 512 bytes behind one or several request queues."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from uvirtio.device import Device
from uvirtio.errors import DeviceError, DeviceMisbehaved, NotOffered, PastTheEnd, ReadOnly, Unaligned
from uvirtio.spec.devices import blk as spec
from uvirtio.spec.features import Features
from uvirtio.spec.formats.blk import HEADER, ID_LENGTH, SECTOR, SEGMENT, SEGMENT_UNMAP, STATUS_SIZE, RequestType
from uvirtio.spec.ids import DeviceType

from .blk_reads import Reads
from .blk_request import LONGEST, Limits, Request, Requests, split
from .bulk import Bulk
from .fields import Fields
from .workload import WritableField

__all__ = ["Blk", "Call"]

#: Most request queues that are used, and most requests that one call keeps in flight.
QUEUES = 4
DEPTH = 16
#: Largest logical block that is believed (bytes).
_LARGEST_BLOCK = 1 << 20


class Call(NamedTuple):
    """A request to be made when its turn comes, so that memory is bounded by what is in flight."""

    kind: int
    sector: int = 0
    data: bytes | None = None
    length: int = 0

    @property
    def size(self) -> int:
        """Bytes of data, either way."""
        return self.length if self.data is None else len(self.data)


class Blk:
    """The driver: ``read(sector, length)``, ``write(sector, data)``, ``flush``, ``discard``, ``write_zeroes``, ``get_id``.

    Sectors are 512 bytes whatever the logical block is. ``fields`` has the configuration by name.
    """

    TYPE: ClassVar[int] = DeviceType.BLK
    FEATURES: ClassVar[Features] = Features.of(
        spec.SIZE_MAX, spec.SEG_MAX, spec.GEOMETRY, spec.RO, spec.BLK_SIZE, spec.FLUSH, spec.TOPOLOGY, spec.CONFIG_WCE,
        spec.MQ, spec.DISCARD, spec.WRITE_ZEROES,
    )  # fmt: skip
    DEPENDENCIES: ClassVar[dict[int, tuple[int, ...]]] = spec.SPEC.dependencies
    WRITABLE: ClassVar[WritableField | None] = WritableField.of(DeviceType.BLK, "writeback", 0, 1)

    def __init__(self, device: Device) -> None:
        """On a device whose queues are set up. Raises :class:`DeviceMisbehaved` for limits that no request can keep."""
        assert device.negotiated is not None, "the driver needs a negotiated device"
        self.device = device
        self.fields = Fields(device, spec.SPEC)
        self.read_only = spec.RO in device.negotiated.accepted
        self.requests = Requests(device, [device.queues[i] for i in sorted(device.queues)], self._limits())
        self._bulk = Bulk(device)
        #: The capacity as it was last read, and how many configuration changes had been notified by then.
        self._known = (0, -1)

    @classmethod
    def queues(cls, device: Device) -> dict[int, int | None]:
        """The request queues, at most :data:`QUEUES`. Raises :class:`DeviceMisbehaved` for an impossible ``num_queues``."""
        fields = Fields(device, spec.SPEC)
        count = 1
        if "num_queues" in fields:
            count, there = fields.number("num_queues"), device.transport.queue_count()
            if not 1 <= count <= there:
                raise DeviceMisbehaved(
                    f"{device.function.locator}: num_queues says {count} with {there} virtqueues; at least 1 and no more "
                    "than there are is possible (virtio 1.4, 5.2.5)"
                )
        return dict.fromkeys(range(min(count, QUEUES)), 128)

    def start(self) -> None:
        """Nothing to do: requests are made when they are wanted."""

    def _limits(self) -> Limits:
        fields, where = self.fields, self.device.function.locator
        room = min(queue.size for queue in self.device.queues.values()) - 2
        # A seg_max of 0 cannot be meant: every request with data has one segment. Nor can a size_max of 0, which QEMU's
        # vhost-user-blk export has: it sets no limit.
        segments = max(fields.number("seg_max"), 1) if "seg_max" in fields else room
        segment = (fields.number("size_max") or LONGEST) if "size_max" in fields else LONGEST
        unit = fields.number("blk_size") if "blk_size" in fields else SECTOR
        if unit % SECTOR or not SECTOR <= unit <= _LARGEST_BLOCK or unit & (unit - 1):
            raise DeviceMisbehaved(
                f"{where}: blk_size says {unit}; a power of 2 from {SECTOR} to {_LARGEST_BLOCK} is expected"
            )
        limits = Limits(min(segments, room), segment, unit)
        if limits.request < unit:
            raise DeviceMisbehaved(
                f"{where}: not one block of {unit} bytes fits into a request: size_max {segment}, seg_max {segments}, "
                f"queues with room for {room} segments"
            )
        return limits

    # -- what a person wants -----------------------------------------------------------------------------------

    @property
    def capacity(self) -> int:
        """Sectors of 512 bytes, as the configuration says now."""
        return self.fields.number("capacity")

    def check_sectors(self, sector: int, length: int, *, writing: bool = False) -> None:
        """See that ``length`` bytes from ``sector`` on can be read, or written.

        Raises :class:`Unaligned`, :class:`PastTheEnd`, and for writing :class:`ReadOnly`.
        """
        if length % SECTOR or length < 0:
            raise Unaligned(
                f"{length} bytes are not whole sectors; lengths are multiples of {SECTOR} (virtio 1.4, 5.2.6.1)"
            )
        if writing and self.read_only:
            raise ReadOnly(
                f"{self.device.function.locator}: the device is read-only (BLK_F_RO), so nothing was written"
            )
        end = sector + length // SECTOR
        capacity, when = self._known
        if end > capacity or when != self.device.notifications.config:
            # A notification says that it may have changed (2.5.2); without one, the device may still have grown unheard.
            when = self.device.notifications.config
            self._known = capacity, _ = self.capacity, when
        if sector < 0 or end > capacity:
            raise PastTheEnd(
                f"{self.device.function.locator}: sectors {sector} to {end - 1} reach past the end: "
                f"the device has {capacity} sectors of {SECTOR} bytes (virtio 1.4, 5.2.6.1)"
            )

    def read(self, sector: int, length: int, timeout: float | None = None) -> bytes:
        """``length`` bytes from ``sector`` on. ``timeout`` (s) is for the whole.

        Raises :class:`Unaligned`, :class:`PastTheEnd`, :class:`RequestFailed`, :class:`DeviceTimeout`,
        :class:`SuspendedError`.
        """
        self.check_sectors(sector, length)
        pieces = split(sector, length, self.requests.limits.request)
        calls = [Call(RequestType.IN, at, length=size) for at, size in pieces]
        return b"".join(self.carry_out(calls, timeout, f"reading {length} bytes at sector {sector}"))

    def read_many(self, sectors: Sequence[int], length: int, timeout: float | None = None) -> list[bytes]:
        """``length`` bytes from each of these sectors on, in that order: many requests at once, over all queues.

        ``timeout`` (s) is for the whole. Raises like :meth:`read`, the first error once nothing is in flight any more, and
        :class:`DriverMisuse` while other requests are.
        """
        if not sectors:
            return []
        # From the first to the last of them, so that the configuration is asked once how large the device is.
        self.check_sectors(min(sectors), (max(sectors) - min(sectors)) * SECTOR + length)
        if not length or length > self.requests.limits.request:
            return [self.read(sector, length, timeout) for sector in sectors]
        queues = self.requests.queues
        sizes = (*self.requests.limits.sizes(length), STATUS_SIZE)
        with self._bulk.lent(queues, -(-len(sectors) // len(queues)), (HEADER.size,), sizes) as lent:
            reads = Reads(lent, queues, sectors, length, exact=self.requests.exact, where=self.device.function.locator)
            doing = f"reading {length} bytes at {len(sectors)} places"
            self.device.wait_for(reads.step, timeout, doing=doing, queues=queues)
        if reads.failures:
            raise reads.failures[0]
        return reads.results

    def write(self, sector: int, data: bytes, timeout: float | None = None) -> None:
        """Write whole sectors from ``sector`` on. Raises :class:`ReadOnly`, otherwise like :meth:`read`."""
        self.check_sectors(sector, len(data), writing=True)
        view = memoryview(data)
        calls = [
            Call(RequestType.OUT, at, bytes(view[(at - sector) * SECTOR :][:size]))
            for at, size in split(sector, len(data), self.requests.limits.request)
        ]
        self.carry_out(calls, timeout, f"writing {len(data)} bytes at sector {sector}")

    def flush(self, timeout: float | None = None) -> None:
        """Have completed writes made stable. Raises :class:`NotOffered` without FLUSH: every write is stable there."""
        self._need(spec.FLUSH, "flush")
        self.carry_out([Call(RequestType.FLUSH)], timeout, "flushing")

    def discard(self, sector: int, sectors: int, timeout: float | None = None) -> None:
        """Tell the device that sectors are not needed any more; what they read as afterwards is not said.

        Raises :class:`NotOffered` without DISCARD, otherwise like :meth:`write`.
        """
        self._need(spec.DISCARD, "discard")
        self._ranges(RequestType.DISCARD, "discard", sector, sectors, 0, timeout)

    def write_zeroes(self, sector: int, sectors: int, *, unmap: bool = False, timeout: float | None = None) -> None:
        """Make sectors read as zeros; ``unmap``: the device may deallocate them. Raises like :meth:`discard`."""
        self._need(spec.WRITE_ZEROES, "write zeroes")
        self._ranges(RequestType.WRITE_ZEROES, "write_zeroes", sector, sectors, SEGMENT_UNMAP * unmap, timeout)

    def get_id(self, timeout: float | None = None) -> str:
        """The device id string, up to 20 characters. Raises :class:`RequestUnsupported` where the device has none."""
        answer = self.carry_out([Call(RequestType.GET_ID, length=ID_LENGTH)], timeout, "asking for the id")[0]
        return answer.split(b"\0", 1)[0].decode("ascii", errors="replace")

    def take_back(self) -> None:
        """Wait until nothing of a call that timed out is left with the device. Raises :class:`DeviceTimeout`."""
        self._bulk.take_back()

    # -- how it is done ----------------------------------------------------------------------------------------

    def _need(self, bit: int, what: str) -> None:
        assert self.device.negotiated is not None
        if bit not in self.device.negotiated.accepted:
            name = next(feature.name for feature in spec.SPEC.features if feature.number == bit)
            raise NotOffered(f"{self.device.function.locator}: {what} needs {name}, which was not negotiated")

    def _ranges(
        self, kind: RequestType, name: str, sector: int, sectors: int, flags: int, timeout: float | None
    ) -> None:
        self.check_sectors(sector, sectors * SECTOR, writing=True)
        # Devices that leave a limit at 0 mean none for the sectors, and one for the segments.
        most = self.fields.number(f"max_{name}_sectors") or 0xFFFF_FFFF
        together = max(1, min(self.fields.number(f"max_{name}_seg"), self.requests.limits.request // SEGMENT.size))
        segments = [
            SEGMENT.pack(at, size // SECTOR, flags) for at, size in split(sector, sectors * SECTOR, most * SECTOR)
        ]
        calls = [
            Call(kind, data=b"".join(segments[first : first + together])) for first in range(0, len(segments), together)
        ]
        self.carry_out(calls, timeout, f"{name.replace('_', ' ')} of {sectors} sectors at {sector}")

    def carry_out(self, calls: Iterable[Call], timeout: float | None, doing: str) -> list[bytes]:
        """Make requests, at most :data:`DEPTH` in flight, and wait for all; the data of each, in order.

        Raises the first error that a request came back with, when none is in flight any more.
        """
        waiting, flying, results = deque(calls), deque[Request](), list[bytes]()
        failures: list[DeviceError] = []
        #: Requests that came back, whose memory serves for the next ones.
        spare: list[Request] = []

        def settle() -> None:
            request = flying.popleft()
            if request.error is not None:
                failures.append(request.error)
            results.append(request.data)
            spare.append(request)

        def done() -> bool:
            if not self._bulk.settle():
                return False
            self.requests.reap()
            while flying and flying[0].done:
                settle()
            while waiting and len(flying) < DEPTH and not failures and self.requests.room(waiting[0].size):
                call = waiting.popleft()
                request = self._request(spare, call.size)
                request.prepare(call.kind, call.sector, call.data, call.length)
                flying.append(request)
                self.requests.submit(request)
            self.requests.publish()
            return not flying and (not waiting or bool(failures))

        try:
            self.device.wait_for(done, timeout, doing=doing, queues=self.requests.queues)
        finally:
            # What the device still has is given back when it comes back.
            for request in (*flying, *spare):
                request.free()
        if failures:
            raise failures[0]
        return results

    def _request(self, spare: list[Request], size: int) -> Request:
        """One with room for so much data: from those that came back, where one is large enough."""
        if spare and spare[-1].capacity >= size:
            return spare.pop()
        return Request(self.device.dma, size)
