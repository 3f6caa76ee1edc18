"""Interrupt lines, as a bus delivers them."""

from __future__ import annotations

from typing import Protocol

from .clock import Clock

__all__ = ["InterruptLine", "NoLine"]


class InterruptLine(Protocol):
    """One interrupt of a function, as the bus delivers it."""

    #: For people: ``INTx through /dev/uio0``, ``none (polling)``.
    description: str
    #: False where there is no interrupt at all.
    present: bool

    def enable(self) -> None:
        """Let the next interrupt through (UIO disables INTx in its handler)."""

    def wait(self, seconds: float) -> bool:
        """Sleep until an interrupt was delivered or the time is over; True when there was one."""

    def count(self) -> int:
        """Interrupts delivered since the line was opened, without waiting. 0 where there is none."""


class NoLine:
    """A function without an interrupt: waiting is sleeping, in steps short enough to poll."""

    present = False
    step = 1e-3

    def __init__(self, clock: Clock, why: str) -> None:
        self._clock = clock
        self.description = f"none ({why}; polling)"

    def enable(self) -> None:
        """Nothing to enable."""

    def wait(self, seconds: float) -> bool:
        """Sleep one polling step."""
        self._clock.sleep(min(seconds, self.step))
        return False

    def count(self) -> int:
        """Always 0."""
        return 0
