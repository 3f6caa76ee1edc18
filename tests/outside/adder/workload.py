"""The workload: additions in flight, each of which has to come back once, with the right sum."""

from __future__ import annotations

from struct import pack, unpack
from typing import ClassVar, Self

from uvirtio.access.dma import Dma
from uvirtio.errors import WorkloadFailed
from uvirtio.queue import Queue

from .driver import ADDITIONS, Adder

_BUFFERS = 8


class AdderWorkload:
    """Eight additions at once."""

    OPTIONS: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, driver: Adder) -> None:
        self._queue: Queue = driver.device.queue(ADDITIONS)
        self._modulus = driver.modulus
        self._block = driver.device.dma.allocate(_BUFFERS * 16)
        self._idle = [(self._block.part(16 * n, 8), self._block.part(16 * n + 8, 4)) for n in range(_BUFFERS)]
        self._flying: dict[int, tuple[tuple[Dma, Dma], int]] = {}
        self.submitted = 0
        self.completed = 0

    @classmethod
    def of(cls, driver: Adder) -> Self:
        """A fresh one."""
        return cls(driver)

    @classmethod
    def harmless(cls, driver: Adder) -> Self:
        """The same: nothing is asked for before it is submitted."""
        return cls(driver)

    @property
    def outstanding(self) -> int:
        """Additions that have not come back."""
        return len(self._flying)

    @property
    def room(self) -> int:
        """Additions that can be asked for now."""
        return min(len(self._idle), self._queue.free // 2)

    def submit(self, count: int | None = None) -> int:
        """Ask for additions."""
        count = self.room if count is None else min(count, self.room)
        for _ in range(count):
            question, answer = self._idle.pop()
            self.submitted += 1
            question.memory[:] = pack("<II", self.submitted, 0xFFFF_FFF0)
            answer.memory[:] = bytes(4)
            sum_ = (self.submitted + 0xFFFF_FFF0) % self._modulus
            self._flying[self._queue.add((question,), (answer,))] = (question, answer), sum_
        if count:
            self._queue.publish(notify=False)
        return count

    def kick(self) -> None:
        """Notify."""
        if self._flying:
            self._queue.publish()

    def reap(self) -> int:
        """Take sums, and check them."""
        before = self.completed
        for token, length in self._queue.completed():
            buffers, expected = self._flying.pop(token)
            self._idle.append(buffers)
            self.completed += 1
            (sum_,) = unpack("<I", buffers[1].memory)
            if length != 4 or sum_ != expected:
                raise WorkloadFailed(f"addition {token}: {length} bytes, {sum_}; 4 bytes and {expected} are right")
        return self.completed - before

    def leave(self) -> int:
        """See :class:`~uvirtio_drivers.workload.Workload`: there is one queue."""
        return 0

    def visit(self) -> int:
        """See :class:`~uvirtio_drivers.workload.Workload`: there is no other queue that the device owes an answer on."""
        return 0

    def verify(self) -> None:
        """All of them have come back."""
        if self._flying or self.submitted != self.completed:
            raise WorkloadFailed(f"{self.submitted} additions were asked for, {self.completed} came back")

    def proves(self) -> str:
        """One sentence."""
        return "every addition came back exactly once, with the right sum"

    def close(self) -> None:
        """Give the memory back."""
        self._block.free()
