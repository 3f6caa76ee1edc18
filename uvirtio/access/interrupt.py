"""Interrupts, and the one owner of ISR.

Reading ISR clears it, so exactly one object reads it and accumulates what it saw; waits and checks take from that.
"""

from __future__ import annotations

from typing import Protocol

from ..spec.registers import IsrBit
from .clock import Clock
from .view import View

__all__ = ["InterruptLine", "IsrOwner", "NoLine"]


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


class IsrOwner:
    """Reads ISR and accumulates.

    ``queue`` counts reads that showed the queue bit *alone*, ``config`` reads that showed the configuration bit,
    ``both`` those of them that showed both: QEMU sets both bits for a configuration change, so bit 0 is evidence
    of a used-buffer notification only where bit 1 is clear in the same read (virtio 1.4, 4.1.4.5). ``all_ones`` counts
    reads that no device answers with.
    """

    __slots__ = ("_isr", "all_ones", "both", "config", "line", "queue", "reads")

    def __init__(self, isr: View, line: InterruptLine) -> None:
        self._isr = isr
        self.line = line
        self.queue = 0
        self.config = 0
        self.both = 0
        self.all_ones = 0
        self.reads = 0

    def collect(self) -> int:
        """Read ISR once (which clears it), accumulate, and return the bits that this read showed.

        All-ones is a device that is absent or busy, not an interrupt, and counts as nothing.
        """
        value = self._isr[0]
        self.reads += 1
        if value == 0xFF:
            self.all_ones += 1
            return 0
        if value & IsrBit.CONFIG:
            self.config += 1
            if value & IsrBit.QUEUE:
                self.both += 1
        elif value & IsrBit.QUEUE:
            self.queue += 1
        return value & (IsrBit.QUEUE | IsrBit.CONFIG)

    def wait(self, seconds: float) -> int:
        """Sleep until an interrupt or until the time is over, then collect: the bits seen, 0 for none."""
        self.line.enable()
        self.line.wait(seconds)
        return self.collect()
