"""Traditional memory balloon (virtio 1.4, 5.5): pages of this machine lent to the host and taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from uvirtio.access.dma import Dma
from uvirtio.device import Device
from uvirtio.errors import UsageError
from uvirtio.spec.devices import balloon as spec
from uvirtio.spec.features import Features
from uvirtio.spec.formats.balloon import PAGE_NUMBER, PAGE_SIZE, STAT, STATS_MULTIPLE, Stat
from uvirtio.spec.ids import DeviceType
from uvirtio.status import Phase

from .balloon_pages import page_numbers
from .buffers import SendBuffers
from .fields import Fields
from .workload import WritableField

__all__ = ["Balloon"]

INFLATEQ, DEFLATEQ, STATSQ = 0, 1, 2
#: Pages in one request.
PAGES = 256

_ACTUAL = next(field for field in spec.SPEC.fields if field.name == "actual")


class Balloon:
    """The driver: ``inflate(pages)``, ``deflate(pages)``, ``target``, ``actual``; statistics where the device wants them.

    Only pages that the driver allocated for it ever go into the balloon.
    """

    TYPE: ClassVar[int] = DeviceType.BALLOON
    FEATURES: ClassVar[Features] = Features.of(spec.MUST_TELL_HOST, spec.STATS_VQ)
    DEPENDENCIES: ClassVar[dict[int, tuple[int, ...]]] = spec.SPEC.dependencies
    WRITABLE: ClassVar[WritableField | None] = WritableField.of(DeviceType.BALLOON, "actual", 0, 1)

    def __init__(self, device: Device) -> None:
        """On a device whose queues are set up."""
        self.device = device
        self.fields = Fields(device, spec.SPEC)
        size = PAGES * PAGE_NUMBER.size
        self.inflating = SendBuffers(device, device.queue(INFLATEQ), size, 16)
        self.deflating = SendBuffers(device, device.queue(DEFLATEQ), size, 16)
        self._pages: list[Dma] = []
        #: What a statistics buffer carries; the same tags each time, as 5.5.6.3.1 demands. Values in bytes.
        self.statistics: dict[Stat, int] = dict.fromkeys((Stat.MEMFREE, Stat.MEMTOT, Stat.AVAIL), 0)
        self._stats: SendBuffers | None = None
        if STATSQ in device.queues:
            self._stats = SendBuffers(device, device.queue(STATSQ), len(self._stats_buffer()), 1)

    @classmethod
    def queues(cls, device: Device) -> dict[int, int | None]:
        """Inflate and deflate queue, and the statistics queue where it was negotiated."""
        assert device.negotiated is not None, "queues are chosen after negotiation"
        queues: dict[int, int | None] = {INFLATEQ: 64, DEFLATEQ: 64}
        if spec.STATS_VQ in device.negotiated.accepted:
            queues[STATSQ] = 8
        return queues

    def start(self) -> None:
        """Give the device the one statistics buffer that it may have."""
        self.service()

    # -- statistics --------------------------------------------------------------------------------------------

    def _stats_buffer(self) -> bytes:
        data = b"".join(STAT.pack(tag, value) for tag, value in self.statistics.items())
        assert len(data) % STATS_MULTIPLE == 0, "a statistics buffer has to be a multiple of 6 bytes (5.5.6.3.1)"
        return data

    def set_statistics(self, values: Mapping[Stat, int]) -> None:
        """What the device gets at its next request. Raises :class:`UsageError` for a tag that was not there from the start."""
        unknown = [tag.name for tag in values if tag not in self.statistics]
        if unknown:
            raise UsageError(
                f"{', '.join(unknown)} cannot be supplied: every buffer has the same statistics, "
                f"{', '.join(tag.name for tag in self.statistics)} (virtio 1.4, 5.5.6.3.1)"
            )
        self.statistics.update(values)

    def service(self) -> bool:
        """Answer a request for statistics, if there is one and the device is running; whether there was one."""
        if self._stats is None:
            return False
        asked = bool(self._stats.reap())
        if not self._stats.outstanding and self.device.phase is Phase.RUNNING:
            self._stats.put(self._stats_buffer())
            self._stats.publish()
        return asked

    # -- pages -------------------------------------------------------------------------------------------------

    @property
    def target(self) -> int:
        """Pages that the host wants in the balloon (num_pages)."""
        return self.fields.number("num_pages")

    @property
    def actual(self) -> int:
        """Pages in the balloon as the configuration says."""
        return self.fields.number("actual")

    @property
    def pages(self) -> int:
        """Pages that this driver has put into the balloon."""
        return len(self._pages)

    def inflate(self, count: int, timeout: float | None = None) -> None:
        """Put ``count`` more pages of 4096 bytes into the balloon, and tell the new number.

        Raises :class:`CannotRun` when memory is short, :class:`DeviceTimeout`, :class:`SuspendedError`.
        """
        pages = [self.device.dma.allocate(PAGE_SIZE, PAGE_SIZE) for _ in range(count)]
        self._tell(self.inflating, pages, timeout, f"inflating the balloon by {count} pages")
        self._pages += pages
        self.tell_actual(len(self._pages))

    def deflate(self, count: int, timeout: float | None = None) -> None:
        """Take ``count`` pages back, and tell the new number. Raises :class:`UsageError` for more than there are."""
        if not 0 <= count <= len(self._pages):
            raise UsageError(f"{count} pages cannot be taken back: there are {len(self._pages)} in the balloon")
        pages = self._pages[len(self._pages) - count :]
        self._tell(self.deflating, pages, timeout, f"deflating the balloon by {count} pages")
        del self._pages[len(self._pages) - count :]
        for page in pages:
            page.free()
        self.tell_actual(len(self._pages))

    def follow(self, timeout: float | None = None) -> int:
        """Do what the host wants: inflate or deflate to ``target``; the number of pages then."""
        difference = self.target - len(self._pages)
        if difference > 0:
            self.inflate(difference, timeout)
        elif difference < 0:
            self.deflate(-difference, timeout)
        return len(self._pages)

    def _tell(self, buffers: SendBuffers, pages: Sequence[Dma], timeout: float | None, doing: str) -> None:
        requests = [
            page_numbers([page.address for page in pages[at : at + PAGES]]) for at in range(0, len(pages), PAGES)
        ]
        position = 0

        def told() -> bool:
            nonlocal position
            self.service()
            buffers.reap()
            while position < len(requests) and buffers.room:
                buffers.put(requests[position])
                position += 1
            buffers.publish()
            return position == len(requests) and not buffers.outstanding

        self.device.wait_for(told, timeout, doing=doing)

    def tell_actual(self, count: int) -> None:
        """Write the number of pages in the balloon into the configuration. Raises :class:`SuspendedError` (D5)."""
        self.device.configuration.write(_ACTUAL.offset, _ACTUAL.width, count)

    def close(self) -> None:
        """Give the buffers back, once the device has been reset. Pages that are in the balloon go with the function."""
        for buffers in (self.inflating, self.deflating, self._stats):
            if buffers is not None:
                buffers.close()
