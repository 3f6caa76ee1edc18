"""Polling or interrupts: who waits for used buffers, and for how long he looks before he sleeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType

from ..access.clock import Clock
from ..access.notifications import Notifications
from ..access.wait import YES, Polled, poll
from . import Queue

__all__ = ["BUDGET", "CompletionWait"]

#: Looks at the rings before interrupts are asked for: about as long as taking one interrupt costs.
BUDGET = 100
#: Longest sleep between two looks, in seconds, should an interrupt get lost.
_CEILING = 0.05


class CompletionWait:
    """Waits until a queue, or any of several, has used buffers.

    It looks at the rings ``budget`` times, with used-buffer notifications suppressed; then it asks for them, looks once
    more, since what was used before that is announced by nobody, and sleeps on the interrupt. ``budget=None`` never
    asks for interrupts and only polls; ``budget=1`` sleeps as soon as it may. Afterwards notifications are suppressed
    again: who reaps needs none. :meth:`close`, or leaving the context, asks for them again.

    ``noticed`` is called with what ISR showed after each sleep; what it raises ends the wait.
    """

    def __init__(
        self,
        queues: Queue | Sequence[Queue],
        notifications: Notifications,
        clock: Clock,
        budget: int | None = BUDGET,
        *,
        noticed: Callable[[int], None] | None = None,
    ) -> None:
        self._queues: Sequence[Queue] = queues if isinstance(queues, Sequence) else (queues,)
        self._notifications = notifications
        self._clock = clock
        self._noticed = noticed
        self.budget = budget
        #: How often an interrupt was waited for.
        self.sleeps = 0
        self._ask(False)

    def _ask(self, enabled: bool) -> bool:
        """Ask all queues for notifications, or for none; whether one has used buffers already."""
        self._asked = enabled
        waiting = [queue.interrupts(enabled) for queue in self._queues]
        return any(waiting)

    def _ready(self) -> bool:
        """Whether one of the queues has used buffers."""
        for queue in self._queues:  # noqa: SIM110 - a generator would cost more than the look
            if queue.ready:
                return True
        return False

    def _sleep(self, seconds: float) -> None:
        """What happens between two looks, once the budget is used up."""
        if self.budget is None:
            self._clock.sleep(seconds)
        elif not self._ask(True):
            self.sleeps += 1
            bits = self._notifications.wait(seconds)
            if self._noticed is not None:
                self._noticed(bits)

    def wait(self, timeout: float) -> Polled:
        """Until there are used buffers or ``timeout`` seconds have passed; ``outcome`` 0 is a timeout."""
        polled = poll(
            self._ready, YES, self._clock, timeout, sleep=self._sleep, ceiling=_CEILING, spin=self.budget or BUDGET
        )
        if self._asked:
            self._ask(False)
        return polled

    def close(self) -> None:
        """Ask for used-buffer notifications again, as a queue does from the start."""
        self._ask(True)

    def __enter__(self) -> CompletionWait:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
