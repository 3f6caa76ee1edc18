"""Clocks. Each bus brings its own: real time for real devices, simulated time for a device in this process.

On the simulated clock nothing runs by itself: the device acts inside register accesses and inside due events, and
sleeping advances to them. So a test of a ten-second timeout takes no time and every run is reproducible.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from itertools import count
from typing import Protocol

__all__ = ["Clock", "Event", "RealClock", "SimulatedClock"]


class Clock(Protocol):
    """Time in seconds, monotonic, from an arbitrary start."""

    #: True where time is simulated; reports say so.
    simulated: bool

    def now(self) -> float:
        """Seconds now."""

    def sleep(self, seconds: float) -> None:
        """Let this much time pass."""


class Event:
    """A scheduled call; ``cancel()`` takes it back."""

    __slots__ = ("call", "cancelled", "time")

    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.time = when
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        """Do not call it any more."""
        self.cancelled = True


class RealClock:
    """``time.perf_counter`` and ``time.sleep``."""

    simulated = False
    now = staticmethod(time.perf_counter)
    sleep = staticmethod(time.sleep)


class SimulatedClock:
    """Time that passes only when somebody sleeps, event by event."""

    simulated = True

    def __init__(self) -> None:
        self._now = 0.0
        self._order = count()
        self._events: list[tuple[float, int, Event]] = []

    def now(self) -> float:
        """Simulated seconds since the clock was made."""
        return self._now

    def call_at(self, when: float, call: Callable[[], None]) -> Event:
        """Call at ``when``; events of equal time run in the order in which they were scheduled."""
        event = Event(max(when, self._now), call)
        heapq.heappush(self._events, (event.time, next(self._order), event))
        return event

    @staticmethod
    def turn_over() -> bool:
        """Whether others wait for whoever works now: no time passes, and nobody does."""
        return False

    def next_event(self) -> float | None:
        """Time of the next due event, None when nothing is scheduled."""
        while self._events and self._events[0][2].cancelled:
            heapq.heappop(self._events)
        return self._events[0][0] if self._events else None

    def sleep(self, seconds: float) -> None:
        """Advance, running what falls due on the way."""
        self.advance_to(self._now + seconds)

    def advance_to(self, when: float) -> None:
        """Run all events up to and including ``when``, then stand there."""
        while (due := self.next_event()) is not None and due <= when:
            _, _, event = heapq.heappop(self._events)
            self._now = max(self._now, due)
            event.call()
        self._now = max(self._now, when)
