"""The time that a scenario has left: whatever a device does, it ends."""

from __future__ import annotations

from uvirtio.access.clock import Clock

__all__ = ["Deadline", "Overdue"]

#: A scenario ends after this many timeouts at the latest.
PATIENCE = 8


class Overdue(Exception):
    """A scenario used up its time."""


class Deadline:
    """Bounds each wait of a scenario by ``timeout`` (s), and all of them together."""

    def __init__(self, clock: Clock, timeout: float, hold: float) -> None:
        self._clock = clock
        self.timeout = timeout
        self._hold = hold
        self._end = float("inf")

    def begin(self) -> None:
        """The scenario's time starts."""
        self._end = self._clock.now() + PATIENCE * self.timeout + 20 * self._hold

    def lift(self) -> None:
        """What is done now may take as long as it takes: each step has a limit of its own."""
        self._end = float("inf")

    def more(self, seconds: float) -> None:
        """The scenario may take so much longer: only what is waited in vain uses its time up."""
        self._end += seconds

    def limit(self) -> float:
        """How long the next wait may last. Raises :class:`Overdue` when the time is used up."""
        left = self._end - self._clock.now()
        if left <= 0:
            raise Overdue(f"the scenario did not end within {PATIENCE} times {self.timeout:g} s")
        return min(self.timeout, left)
