"""Polling or interrupts: who waits for used buffers, and for how long he looks before he sleeps."""

from __future__ import annotations

from ..access.clock import Clock
from ..access.interrupt import IsrOwner
from ..access.wait import Polled, poll
from . import Queue

__all__ = ["BUDGET", "CompletionWait"]

#: Looks at the ring before interrupts are asked for: about as long as taking one interrupt costs.
BUDGET = 100
#: Longest sleep between two looks, in seconds, should an interrupt get lost.
_CEILING = 0.05

_YES = (0, 1)


class CompletionWait:
    """Waits until a queue has used buffers.

    It looks at the ring ``budget`` times, with used-buffer notifications suppressed; then it asks for them, looks once
    more, since what was used before that is announced by nobody, and sleeps on the interrupt. ``budget=None`` never
    asks for interrupts and only polls; ``budget=1`` sleeps as soon as it may. Afterwards notifications are suppressed
    again: who reaps needs none.
    """

    def __init__(self, queue: Queue, isr: IsrOwner, clock: Clock, budget: int | None = BUDGET) -> None:
        self._queue = queue
        self._isr = isr
        self._clock = clock
        self.budget = budget
        self.simulated = clock.simulated
        self.now = clock.now
        #: How often an interrupt was waited for.
        self.sleeps = 0
        queue.interrupts(False)

    def __getitem__(self, _index: int) -> int:
        return 1 if self._queue.ready else 0

    def sleep(self, seconds: float) -> None:
        """What :func:`~uvirtio.access.wait.poll` does between two looks, once the budget is used up."""
        if self.budget is None:
            self._clock.sleep(seconds)
        elif not self._queue.interrupts(True):
            self.sleeps += 1
            self._isr.wait(seconds)

    def wait(self, timeout: float) -> Polled:
        """Until there are used buffers or ``timeout`` seconds have passed; ``outcome`` 0 is a timeout."""
        asked = self.sleeps
        polled = poll(self, 0, _YES, self, timeout, ceiling=_CEILING, spin=self.budget or BUDGET)
        if self.sleeps != asked:
            self._queue.interrupts(False)
        return polled
