"""Balloon traffic: groups of pages go in and out, and all memory that is not in the balloon has to keep its contents."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import ClassVar, Self

from uvirtio.errors import WorkloadFailed
from uvirtio.spec.formats.balloon import PAGE_SIZE
from uvirtio.status import Phase

from .balloon import Balloon
from .balloon_pages import page_numbers
from .buffers import SendBuffers

__all__ = ["BalloonWorkload"]

#: Groups of pages that move on their own, and pages of a group.
_GROUPS, _PAGES = 12, 4


class BalloonWorkload:
    """Each group of pages is outside, going in, inside, or coming out. Between any two of its pages lies one that never goes."""

    OPTIONS: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, balloon: Balloon, *, seed: int = 1) -> None:
        self._balloon = balloon
        self._random = Random(seed)
        count = 2 * _GROUPS * _PAGES
        self._block = balloon.device.dma.allocate(count * PAGE_SIZE, PAGE_SIZE)
        self._pages = [self._block.part(number * PAGE_SIZE, PAGE_SIZE) for number in range(count)]
        #: What the pages that are ours have to hold.
        self._contents: dict[int, bytes] = {}
        for number in range(count):
            self._fill(number)
        self._outside = list(range(_GROUPS))
        self._inside: list[int] = []
        #: For each queue: request number -> group.
        self._flying: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._numbers: tuple[set[int], set[int]] = (set(), set())
        self._told = balloon.pages
        self.submitted = 0
        self.completed = 0

    @classmethod
    def of(cls, driver: Balloon) -> Self:
        """Pages in and out, with pages beside them that have to stay as they are."""
        return cls(driver)

    @classmethod
    def harmless(cls, driver: Balloon) -> Self:
        """The same: no page goes in before it is submitted."""
        return cls.of(driver)

    def _members(self, group: int) -> range:
        """Every other page of a stretch; those between them stay."""
        return range(2 * _PAGES * group, 2 * _PAGES * (group + 1), 2)

    def _fill(self, number: int) -> None:
        self._contents[number] = data = self._random.randbytes(PAGE_SIZE)
        self._pages[number].memory[:] = data

    @property
    def _queues(self) -> tuple[SendBuffers, SendBuffers]:
        return self._balloon.inflating, self._balloon.deflating

    @property
    def outstanding(self) -> int:
        """Inflate and deflate requests that the device has; the statistics buffer may wait for ever."""
        return self.submitted - self.completed

    @property
    def room(self) -> int:
        """Groups that can move now."""
        return min(len(self._outside), self._queues[0].room) + min(len(self._inside), self._queues[1].room)

    def submit(self, count: int | None = None) -> int:
        """Move groups in or out, one request each."""
        count = self.room if count is None else min(count, self.room)
        for _ in range(count):
            ways = [
                way for way, groups in enumerate((self._outside, self._inside)) if groups and self._queues[way].room
            ]
            way = self._random.choice(ways)
            groups = (self._outside, self._inside)[way]
            group = groups.pop(self._random.randrange(len(groups)))
            if way == 0:
                self._check(self._members(group))
                for number in self._members(group):
                    del self._contents[number]
            numbers = page_numbers([self._pages[number].address for number in self._members(group)])
            number = self._queues[way].put(numbers)
            self._numbers[way].add(number)
            self._flying[way][number] = group
        for queue in self._queues:
            queue.publish(notify=False)
        self.submitted += count
        return count

    def kick(self) -> None:
        """Notify both queues, if the device wants it."""
        for queue in self._queues:
            queue.publish()

    def reap(self) -> int:
        """Take what is answered: groups that are inside now, and groups that are ours again."""
        self._balloon.service()
        done = 0
        for way, queue in enumerate(self._queues):
            for number in sorted(queue.returned_of(self._numbers[way])):
                group = self._flying[way].pop(number)
                (self._inside if way == 0 else self._outside).append(group)
                if way == 1:
                    for page in self._members(group):
                        self._fill(page)
                done += 1
        self.completed += done
        self._tell()
        return done

    def _tell(self) -> None:
        """The number of pages in the balloon has to be told after it has changed, and cannot be while suspended."""
        pages = self._balloon.pages + _PAGES * len(self._inside)
        if pages != self._told and not self.outstanding and self._balloon.device.phase is Phase.RUNNING:
            self._balloon.tell_actual(pages)
            self._told = pages

    def leave(self) -> int:
        """See :class:`~uvirtio_drivers.workload.Workload`: there is no other queue that the device owes an answer on."""
        return 0

    def visit(self) -> int:
        """See :meth:`leave`."""
        return 0

    def verify(self) -> None:
        """Nothing is missing, all pages that are ours hold what they held, and the device has the number that it was told."""
        if self.outstanding:
            raise WorkloadFailed(
                f"{self.submitted} requests were submitted and {self.completed} came back; {self.outstanding} are missing"
            )
        self._check(self._contents)
        self._tell()
        actual = self._balloon.actual
        if actual != self._told:
            raise WorkloadFailed(
                f"the configuration says that {actual} pages are in the balloon, but the driver wrote {self._told} to actual"
            )

    def _check(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            if self._pages[number].memory != self._contents[number]:
                raise WorkloadFailed(
                    f"the page at {self._pages[number].address:#x} is not in the balloon, but its contents have changed"
                )

    def proves(self) -> str:
        """One sentence."""
        return (
            "every inflate and deflate request came back exactly once, and pages that were not in the balloon kept their contents; "
            "what becomes of the pages inside is the host's"
        )

    def close(self) -> None:
        """Give the memory back, once the device has been reset."""
        if not self._balloon.inflating.live:
            self._block.free()
        self._balloon.close()
