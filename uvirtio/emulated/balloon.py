"""The traditional memory balloon (virtio 1.4, 5.5): inflate, deflate, and the guest's statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from ..errors import CannotRun
from ..spec.devices import balloon as bits
from ..spec.formats.balloon import PAGE_NUMBER, STAT, Stat
from ..spec.ids import DeviceType
from .memory import DriverFault
from .model import DeviceModel
from .parameters import number
from .queue import DeviceQueue
from .ring import Chain

__all__ = ["Balloon"]

_INFLATE, _DEFLATE, _STATISTICS = 0, 1, 2
#: Pages that are remembered: 1 GiB of the guest's memory.
_PAGES = 1 << 18


class Balloon(DeviceModel):
    """Keeps the set of page numbers that it was given, up to a limit; memory itself it leaves alone."""

    TYPE = DeviceType.BALLOON
    STATE = ("config", "pages", "followed", "statistics", "_held")
    PARAMETERS: ClassVar[Mapping[str, str]] = {"pages": "pages that the host wants at first (default 0)"}
    queue_count = 3
    waiting = frozenset({_STATISTICS})
    features = (bits.MUST_TELL_HOST, bits.STATS_VQ)

    def __init__(self, pages: int = 0) -> None:
        super().__init__()
        self.pages: set[int] = set()
        #: Whether these are all of them.
        self.followed = True
        self.statistics: dict[str, int] = {}
        self._held: Chain | None = None
        self.put("num_pages", pages)

    @classmethod
    def check(cls, parameters: Mapping[str, str]) -> None:
        """See :class:`DeviceModel`."""
        cls.make(parameters)

    @classmethod
    def make(cls, parameters: Mapping[str, str]) -> Balloon:
        """See :class:`DeviceModel`."""
        return cls(number(parameters, "pages", 0, 0, 1 << 31))

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        """See :class:`DeviceModel`: page numbers that go into the balloon, or come out of it."""
        data = chain.read()
        if not data or len(data) % PAGE_NUMBER.size:
            raise DriverFault(f"{len(data)} bytes of page numbers, which have {PAGE_NUMBER.size} each (5.5.6)")
        numbers = [page for (page,) in PAGE_NUMBER.iter_unpack(data)]
        odd = 0
        for page in numbers:
            odd += (page in self.pages) is (queue.index == _INFLATE)
            if queue.index != _INFLATE:
                self.pages.discard(page)
            elif len(self.pages) < _PAGES:
                self.pages.add(page)
            elif self.followed:
                self.followed = False
                self.device.log.event("pages not followed", f"more than {_PAGES} are in the balloon")
        if odd and self.followed:
            what = "are in the balloon already" if queue.index == _INFLATE else "are not in the balloon"
            self.device.log.fault("queue", "pages", f"{odd} of {len(numbers)} pages {what}")
        return 0

    def serve(self, queue: DeviceQueue) -> None:
        """See :class:`DeviceModel`: a statistics buffer is read at once and kept until new ones are asked for."""
        if self._held is not None:
            return
        self._held = queue.take()
        if self._held is None:
            return
        data = self._held.read()
        known = {int(tag): tag.name for tag in Stat}
        for at in range(0, len(data) - STAT.size + 1, STAT.size):
            tag, value = STAT.unpack_from(data, at)
            if tag in known:
                self.statistics[known[tag]] = value

    def queue_reset(self, queue: DeviceQueue) -> None:
        """See :class:`DeviceModel`."""
        if queue.index == _STATISTICS:
            self._held = None

    def reset(self) -> None:
        """See :class:`DeviceModel`: the guest has all of its memory again."""
        self.pages.clear()
        self.followed = True
        self.statistics.clear()
        self._held = None
        self.put("actual", 0)

    def change(self) -> Mapping[str, int]:
        """See :class:`DeviceModel`: the host wants a page more."""
        return {"num_pages": (self.get("num_pages") + 1) & 0xFFFFFFFF}

    def triggers(self) -> Mapping[str, Callable[..., object]]:
        """See :class:`DeviceModel`."""

        def ask_statistics() -> dict[str, object]:
            queue = self.device.queues[_STATISTICS]
            if self._held is None or not self.device.behaviour.may_consume():
                raise CannotRun("ask_statistics: the driver has not given a statistics buffer, or is suspended")
            held, self._held = self._held, None
            with self.device.guarded():
                queue.finish(held, 0)
            return {"statistics": dict(self.statistics)}

        return {"ask_statistics": ask_statistics}
