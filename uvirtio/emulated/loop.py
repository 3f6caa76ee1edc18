"""The real clock for a device that is served: one thread, a selector, and calls that fall due.

Nobody has the loop for long. Each call into the device, a peer or a client is a *turn*; what could go on for as long as
a guest likes asks :meth:`Loop.turn_over` before each step, and is called again after the others had theirs. And nobody
ends it: what goes wrong within a turn ends the party whose turn it was.
"""

from __future__ import annotations

import contextlib
import heapq
import select
import selectors
import time
from collections.abc import Callable
from itertools import count
from typing import NamedTuple, Protocol

from ..access.clock import Event

__all__ = ["TURN", "Loop"]

#: Seconds after which a turn is over.
TURN = 0.005


class _File(Protocol):
    def fileno(self) -> int: ...


class _Party(NamedTuple):
    """Who is called when a descriptor is ready, and told when that goes wrong."""

    ready: Callable[[], None]
    lost: Callable[[Exception], None]


def _ours(error: Exception) -> None:
    """The party is the server itself."""
    raise error


class Loop:
    """``now``, ``call_at`` and ``turn_over`` for the device, ``watch`` for whoever reads from descriptors.

    ``failed`` is told what goes wrong in a call that was due: the device is nobody's but its client's.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.now = now
        # Any number of descriptors, of any number.
        self._selector = selectors.EpollSelector()
        self._events: list[tuple[float, int, Event]] = []
        self._order = count()
        #: Who has not finished with what was read, by descriptor.
        self._unfinished: set[int] = set()
        self._end = now() + TURN
        self.failed: Callable[[Exception], None] = _ours
        self.stopping = False

    def call_at(self, when: float, call: Callable[[], None]) -> Event:
        """See :class:`DeviceClock`."""
        event = Event(when, call)
        heapq.heappush(self._events, (when, next(self._order), event))
        return event

    def turn_over(self) -> bool:
        """See :class:`DeviceClock`."""
        return self.now() >= self._end

    def watch(self, file: int | _File, ready: Callable[[], None], lost: Callable[[Exception], None] = _ours) -> None:
        """Call ``ready`` whenever there is something to read.

        What that raises is handed to ``lost``, once: the file is not watched any more then. Raises OSError for what
        cannot be watched, such as a directory.
        """
        self.forget(file)
        self._selector.register(file, selectors.EVENT_READ, _Party(ready, lost))

    def await_room(self, file: int | _File, there_is_none: bool, *, reading: bool = False) -> None:
        """Call a file's party when there is room to write, instead of when there is something to read, or back.

        ``reading``: for either.
        """
        with contextlib.suppress(KeyError, ValueError):
            events = selectors.EVENT_WRITE if there_is_none else selectors.EVENT_READ
            events |= selectors.EVENT_READ if reading else 0
            self._selector.modify(file, events, self._selector.get_key(file).data)

    def again(self, file: _File) -> None:
        """Call a file's party in the next turn, though there is nothing more to read."""
        self._unfinished.add(file.fileno())

    def forget(self, file: int | _File) -> None:
        """Stop watching, before the file is closed; what is not watched is no error."""
        try:
            self._selector.unregister(file)
        except (KeyError, ValueError):
            return

    def stop(self) -> None:
        """Let :meth:`run` return."""
        self.stopping = True

    def _turn(self, call: Callable[[], None], lost: Callable[[Exception], None]) -> None:
        """The one barrier: whatever goes wrong within a turn is its party's end, and nobody else's."""
        try:
            call()
        except Exception as error:
            lost(error)

    def _run_due(self) -> float | None:
        """Make the calls that are due, all in one turn; seconds until the next one, None when there is none."""
        self._end = self.now() + TURN
        while self._events:
            when, _, event = self._events[0]
            left = 0.0 if event.cancelled else when - self.now()
            if left > 0:
                return left
            heapq.heappop(self._events)
            if not event.cancelled:
                self._turn(event.call, self.failed)
                if self.turn_over():
                    return 0.0
        return None

    def _wait(self, left: float | None) -> None:
        # epoll waits in milliseconds, which would round a latency of 0.1 ms up to 1 ms; select(2) in microseconds.
        select.select([self._selector.fileno()], [], [], left)

    def run(self) -> None:
        """Serve until :meth:`stop`."""
        while not self.stopping:
            left = self._run_due()
            unfinished, self._unfinished = self._unfinished, set()
            self._wait(0.0 if unfinished or self.stopping else left)
            for key, _ in self._selector.select(0):
                unfinished.discard(key.fd)
                self._call(key)
            for left_over in unfinished & self._selector.get_map().keys():
                self._call(self._selector.get_map()[left_over])

    def _call(self, key: selectors.SelectorKey) -> None:
        """Let a party have its turn, unless a call has made its descriptor stale."""
        if self._selector.get_map().get(key.fd) is key:
            self._end = self.now() + TURN
            self._turn(key.data.ready, lambda error: self._lose(key, error))

    def _lose(self, key: selectors.SelectorKey, error: Exception) -> None:
        if (now := self._selector.get_map().get(key.fd)) and now.data is key.data:
            self.forget(key.fileobj)
        key.data.lost(error)

    def close(self) -> None:
        """Forget everything."""
        self._selector.close()
        self._events.clear()
