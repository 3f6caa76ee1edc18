"""What a device has told its driver: one place that collects it, from whatever way the device has.

Reading ISR clears it, so nothing else reads it: the transport gives its view away once, to this. Waits and checks ask here.
"""

from __future__ import annotations

from ..spec.registers import IsrBit
from .interrupt import InterruptLine
from .view import View

__all__ = ["Notifications"]


class Notifications:
    """The notifications of one device, from ISR and the interrupt line that goes with it.

    ``used`` counts looks at ISR that showed the queue bit *alone*, ``config`` looks that showed the configuration bit,
    ``both`` those of them that showed both: QEMU sets both bits for a configuration change, so bit 0 is evidence
    of a used buffer notification only where bit 1 is clear in the same look (virtio 1.4, 4.1.4.5). ``all_ones`` counts
    looks that no device answers. ISR does not say of which queue a notification is.
    """

    __slots__ = ("_isr", "all_ones", "both", "config", "line", "looks", "used")

    def __init__(self, isr: View, line: InterruptLine) -> None:
        self._isr = isr
        #: The interrupt line: what arrives there tells nothing by itself, it only ends a wait.
        self.line = line
        self.used = 0
        self.config = 0
        self.both = 0
        self.all_ones = 0
        self.looks = 0

    @property
    def used_or_both(self) -> int:
        """Looks that showed the queue bit, be it with the other one."""
        return self.used + self.both

    def collect(self) -> int:
        """Look at ISR once (which clears it), count, and return the bits that this look showed.

        All-ones is a device that is absent or busy, not an interrupt, and counts as nothing.
        """
        value = self._isr[0]
        self.looks += 1
        if value == 0xFF:
            self.all_ones += 1
            return 0
        if value & IsrBit.CONFIG:
            self.config += 1
            if value & IsrBit.QUEUE:
                self.both += 1
        elif value & IsrBit.QUEUE:
            self.used += 1
        return value & (IsrBit.QUEUE | IsrBit.CONFIG)

    def wait(self, seconds: float) -> int:
        """Sleep until an interrupt or until the time is over, then collect: the bits seen, 0 for none."""
        self.line.enable()
        self.line.wait(seconds)
        return self.collect()

    def interrupts(self) -> int:
        """Interrupts delivered on the line since the function was opened."""
        return self.line.count()
