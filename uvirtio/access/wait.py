"""The one bounded wait. Every loop around a device goes through :func:`poll`.

It reads, compares, and backs off: a few reads back to back, then sleeps that double up to a ceiling. There is always
one read after the deadline has passed, so a slow machine cannot turn a device that answered in time into a timeout.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from .clock import Clock

__all__ = ["CEILING", "SPIN", "YES", "Outcomes", "Polled", "poll"]

#: Reads back to back before the first sleep.
SPIN = 64
#: First sleep and longest sleep, in seconds.
FIRST_SLEEP = 20e-6
CEILING = 10e-3


class Outcomes(Protocol):
    """Maps a value that was read to 0 (not yet) or to a small number that says which end was reached."""

    def __getitem__(self, value: int, /) -> int: ...


#: The outcomes of a wait for something to be true.
YES: tuple[int, int] = (0, 1)


class Polled(NamedTuple):
    """How a wait ended. A tuple, since it is made between a device's completion and the driver's next step.

    ``outcome`` is 0 when the deadline passed first. The change happened between ``last_not_yet`` and ``first_done``
    (clock times of the reads; equal to ``started`` when the first read was already done), so the latency of the
    device lies in ``after .. after + uncertainty`` seconds from the start.
    """

    outcome: int
    value: int
    reads: int
    started: float
    last_not_yet: float
    first_done: float

    @property
    def seconds(self) -> float:
        """From the start of the wait to the read that ended it."""
        return self.first_done - self.started

    @property
    def after(self) -> float:
        """Lower bound of the device's latency: the last read that said "not yet", in seconds from the start."""
        return self.last_not_yet - self.started


def poll(
    read: Callable[[], int],
    outcomes: Outcomes,
    clock: Clock,
    timeout: float,
    *,
    sleep: Callable[[float], object] | None = None,
    ceiling: float = CEILING,
    spin: int = SPIN,
) -> Polled:
    """Call ``read`` until ``outcomes`` says what its value means or ``timeout`` seconds have passed.

    For a status byte ``outcomes`` is a table of 256 bytes. ``sleep`` takes the place of the clock's, for waits that an
    interrupt may end early. Never raises by itself: outcome 0 is a timeout, and the caller, who knows what was waited
    for, decodes the last value in its error.
    """
    now, sleep = clock.now, sleep or clock.sleep
    started = before = last = now()
    deadline = started + timeout
    reads = 0
    while True:
        # Up to ``spin`` reads back to back, then one at a time. Nothing is in this loop that a wait can do without:
        # what it measures shall be the device.
        following = reads + 1
        for reads in range(following, max(spin, following) + 1):
            value = read()
            outcome = outcomes[value]
            after = now()
            if outcome:
                return Polled(outcome, value, reads, started, last, after)
            if before >= deadline:
                # This read began after the deadline: it was the last one.
                return Polled(0, value, reads, started, after, after)
            last = before
            before = after
        pause = min(FIRST_SLEEP * 2.0 ** min(reads - spin, 40), ceiling)
        sleep(max(0.0, min(pause, deadline - before)))
        before = now()
