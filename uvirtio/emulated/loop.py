"""The real clock for a device that is served: one thread, a selector, and calls that fall due."""

from __future__ import annotations

import heapq
import selectors
import time
from collections.abc import Callable
from itertools import count
from typing import Protocol

from ..access.clock import Event

__all__ = ["Loop"]


class _File(Protocol):
    def fileno(self) -> int: ...


class Loop:
    """``now`` and ``call_at`` for the device, ``watch`` for whoever reads from descriptors."""

    def __init__(self) -> None:
        # select(2) waits in microseconds; poll and epoll would round a latency of 0.1 ms up to 1 ms.
        self._selector = selectors.SelectSelector()
        self._events: list[tuple[float, int, Event]] = []
        self._order = count()
        self.stopping = False

    now = staticmethod(time.perf_counter)

    def call_at(self, when: float, call: Callable[[], None]) -> Event:
        """See :class:`DeviceClock`."""
        event = Event(when, call)
        heapq.heappush(self._events, (when, next(self._order), event))
        return event

    def watch(self, file: int | _File, ready: Callable[[], None]) -> None:
        """Call ``ready`` whenever there is something to read."""
        self._selector.register(file, selectors.EVENT_READ, ready)

    def forget(self, file: int | _File) -> None:
        """Stop watching; what is not watched is no error."""
        try:
            self._selector.unregister(file)
        except (KeyError, ValueError):
            return

    def stop(self) -> None:
        """Let :meth:`run` return."""
        self.stopping = True

    def _run_due(self) -> float | None:
        """Make the calls that are due; seconds until the next one, None when there is none."""
        while self._events:
            when, _, event = self._events[0]
            if event.cancelled:
                heapq.heappop(self._events)
                continue
            left = when - self.now()
            if left > 0:
                return left
            heapq.heappop(self._events)
            event.call()
        return None

    def run(self) -> None:
        """Serve until :meth:`stop`."""
        while not self.stopping:
            left = self._run_due()
            for key, _ in self._selector.select(left):
                # A call may have made another one's descriptor stale.
                if self._selector.get_map().get(key.fd) is key:
                    key.data()

    def close(self) -> None:
        """Forget everything."""
        self._selector.close()
        self._events.clear()
