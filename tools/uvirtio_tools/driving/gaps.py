"""Gaps in time: what a machine that was stopped, saved or moved can notice of it by itself.

A machine's clocks differ in what stops them. One that was stopped under it has a step in its monotonic clock, or where that is
stopped with it, a real-time clock that the host has gone on with.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

__all__ = ["SLEPT", "Gap", "Gaps"]

_RTC = Path("/sys/class/rtc/rtc0/since_epoch")
#: The least that is called a gap (s): a busy machine is late, too. The real-time clock counts whole seconds.
_LEAST, _WHOLE = 0.5, 2.0
#: How often the real-time clock is read (s): that may take a while.
_EVERY = 0.25
#: How long the real-time clock is held against the same moment (s).
_ANEW = 600.0
#: How a sleep of the machine is noticed.
SLEPT = "the machine slept: its boot-time clock went on without its monotonic clock"


class Gap(NamedTuple):
    """So many seconds are missing, and that is how it was noticed."""

    seconds: float
    how: str


def _read_rtc(path: Path = _RTC) -> float | None:
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return None


class Gaps:
    """Compares the clocks of this machine with each other and with themselves, each time that it is asked.

    ``monotonic``, ``boot`` and ``wall`` are in seconds, ``rtc`` in whole ones or None where there is no such clock.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        boot: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        wall: Callable[[], float] = time.time,
        rtc: Callable[[], float | None] = _read_rtc,
    ) -> None:
        self._monotonic, self._boot, self._wall, self._rtc = monotonic, boot, wall, rtc
        self._rtc_read = 0.0
        self.begin()

    def begin(self) -> None:
        """What was until now is no gap."""
        now = self._monotonic()
        self._last = now
        self._slept = self._boot() - now
        self._ahead = self._wall() - now
        self._host = self._hosts(now)
        self._host_began = now

    def _hosts(self, now: float) -> float | None:
        self._rtc_read = now
        seconds = self._rtc()
        return None if seconds is None else seconds - now

    def worked(self) -> None:
        """The caller was busy with something else for a while, and late: no step of the monotonic clock is meant by that."""
        self._last = self._monotonic()

    def look(self) -> Gap | None:
        """The gap since the last look, None where there is none."""
        now = self._monotonic()
        found = self._compare(now)
        if found is not None:
            self.begin()
        self._last = now
        return found

    def _compare(self, now: float) -> Gap | None:
        if (slept := self._boot() - now - self._slept) > _LEAST:
            return Gap(slept, SLEPT)
        if (stood := now - self._last) > _LEAST:
            return Gap(stood, "the monotonic clock made a step")
        before, self._ahead = self._ahead, self._wall() - now
        if abs(self._ahead - before) > _LEAST:
            return Gap(abs(self._ahead - before), "the wall clock was set")
        if self._host is not None and now - self._rtc_read > _EVERY:
            host = self._hosts(now)
            if host is not None and (missing := host - self._host) >= _WHOLE:
                return Gap(missing, "the real-time clock went on without the machine")
            if now - self._host_began > _ANEW:
                self._host, self._host_began = host, now  # clocks drift apart by themselves
        return None
