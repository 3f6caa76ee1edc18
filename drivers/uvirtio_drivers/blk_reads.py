"""Many reads of one length over all request queues of a block device at once (virtio 1.4, 5.2.6)."""

from __future__ import annotations

from collections.abc import Sequence

from uvirtio.errors import DeviceError
from uvirtio.queue import Queue
from uvirtio.spec.formats.blk import HEADER, STATUS_SIZE, RequestType

from .blk_request import UNTOUCHED, describe, judge
from .bulk import Buffers, batch

__all__ = ["Reads"]


class Reads:
    """``length`` bytes from each of ``sectors`` on. Buffers have a header, the data in one or several parts, and a status byte.

    ``results`` are in the order of ``sectors``; after a failure nothing more is asked for, and what is missing stays empty.
    """

    def __init__(
        self,
        lent: Sequence[Buffers],
        queues: Sequence[Queue],
        sectors: Sequence[int],
        length: int,
        *,
        exact: bool,
        where: str,
    ) -> None:
        self._lent = [(buffers, f"{where}: queue {queue.index}") for buffers, queue in zip(lent, queues, strict=True)]
        self._sectors = sectors
        self._length = length
        self._exact = exact
        self._next = 0
        self._fill = bytes((UNTOUCHED,)) * length
        #: Which of the reads each buffer is for.
        self._which = [[0] * buffers.count for buffers in lent]
        self.results = [b""] * len(sectors)
        self.failures: list[DeviceError] = []

    def step(self) -> bool:
        """Take what is there and ask for more; whether all of it is there and no request is under way."""
        done = True
        for (buffers, where), which in zip(self._lent, self._which, strict=True):
            if got := buffers.reap():
                self._take(buffers, which, got, where)
            left = 0 if self.failures else len(self._sectors) - self._next
            if more := batch(buffers, left):
                self._ask(buffers, which, more)
            done = done and buffers.free == buffers.count
        return done and (self._next == len(self._sectors) or bool(self.failures))

    def _ask(self, buffers: Buffers, which: list[int], count: int) -> None:
        headers, *data, statuses = buffers.views
        for number in buffers.upcoming(count):
            HEADER.pack_into(headers[number], 0, RequestType.IN, 0, self._sectors[self._next])
            at = 0
            for part in data:
                view = part[number]
                view[:] = self._fill[at : at + len(view)] if len(data) > 1 else self._fill
                at += len(view)
            statuses[number][0] = UNTOUCHED
            which[number] = self._next
            self._next += 1
        buffers.publish(count)

    def _take(self, buffers: Buffers, which: list[int], got: int, where: str) -> None:
        _, *data, statuses = buffers.views
        expected = self._length + STATUS_SIZE
        for number, written in zip(buffers.numbers[:got], buffers.lengths[:got], strict=True):
            place, status = which[number], statuses[number][0]
            if status or written != expected:
                words = describe(RequestType.IN, self._sectors[place], self._length)
                if error := judge(status, written, expected, words, where, exact=self._exact):
                    self.failures.append(error)
            self.results[place] = bytes(data[0][number]) if len(data) == 1 else b"".join(part[number] for part in data)
