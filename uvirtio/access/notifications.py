"""What a device has told its driver: one place that collects it, from whatever way the device has.

Reading ISR clears it, so nothing else reads it: the transport gives its view away once, to this. Waits and checks ask here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..spec.registers import IsrBit
from .fence import ordering_fence
from .interrupt import InterruptLine
from .trace import Message
from .view import View

__all__ = ["MessageSource", "Notifications"]


class MessageSource(InterruptLine, Protocol):
    """What collects the messages of MSI-X. ``bits``: what the message of each vector stands for, as bits of ISR."""

    bits: dict[int, int]

    def take(self, *, flush: bool = True) -> Sequence[Message]:
        """The messages that came since the last time. ``flush``: also those that are on their way."""


class Notifications:
    """The notifications of one device, from ISR and the interrupt line that goes with it, or from messages of MSI-X.

    ``used`` counts looks at ISR that showed the queue bit *alone*, ``config`` looks that showed the configuration bit,
    ``both`` those of them that showed both: QEMU sets both bits for a configuration change, so bit 0 is evidence
    of a used buffer notification only where bit 1 is clear in the same look (virtio 1.4, 4.1.4.5). ``all_ones`` counts
    looks that no device answers. ISR does not say of which queue a notification is.

    With messages (see :meth:`use`) the same is counted of their vectors, and the bits are those that ISR would show; ``both`` counts
    messages of a vector that stands for both. ISR is read with each message of the configuration then: ``shown`` and
    ``missing`` count whether its bit was set, as it has to be before such a message (4.1.4.5.1).
    """

    __slots__ = (
        "_barrier",
        "_isr",
        "_kept",
        "_line",
        "_messages",
        "all_ones",
        "both",
        "config",
        "looks",
        "missing",
        "shown",
        "used",
    )

    def __init__(self, isr: View, line: InterruptLine) -> None:
        self._isr = isr
        self._line = line
        self._messages: MessageSource | None = None
        self._barrier = ordering_fence()
        self._kept = (0, 0, 0, 0, 0)
        self.shown = 0
        self.missing = 0
        self.used = 0
        self.config = 0
        self.both = 0
        self.all_ones = 0
        self.looks = 0

    @property
    def line(self) -> InterruptLine:
        """The interrupt line: what arrives there tells nothing by itself, it only ends a wait."""
        return self._line if self._messages is None else self._messages

    @line.setter
    def line(self, line: InterruptLine) -> None:
        self._line = line

    def use(self, messages: MessageSource | None) -> None:
        """Collect messages from now on, or (None) look at ISR. What was counted of either is kept apart."""
        counted = (self.used, self.config, self.both, self.all_ones, self.looks)
        if messages is not None:
            if self._messages is None:
                self._kept = counted
            self.used = self.config = self.both = self.all_ones = self.looks = 0
        elif self._messages is not None:
            self.used, self.config, self.both, self.all_ones, self.looks = self._kept
        self._messages = messages

    @property
    def used_or_both(self) -> int:
        """Looks that showed the queue bit, be it with the other one."""
        return self.used + self.both

    def collect(self) -> int:
        """Look at ISR once (which clears it), or for messages, count, and return the bits that this look showed.

        All-ones is a device that is absent or busy, not an interrupt, and counts as nothing.
        """
        if self._messages is not None:
            return self._collect_messages(self._messages)
        value = self._isr[0]
        if self._barrier is not None:
            self._barrier()  # what it tells of is looked at after it
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

    def _collect_messages(self, messages: MessageSource, *, flush: bool = True) -> int:
        self.looks += 1
        found = messages.take(flush=flush)
        if not found:
            return 0
        if self._barrier is not None:
            self._barrier()
        meant = [messages.bits.get(message.vector, 0) for message in found]
        alone = sum({bits for bits in meant if bits in (IsrBit.QUEUE, IsrBit.CONFIG)})
        shared = IsrBit.QUEUE | IsrBit.CONFIG in meant
        self.used += bool(alone & IsrBit.QUEUE)
        self.config += bool(alone & IsrBit.CONFIG) or shared
        self.both += shared
        if alone & IsrBit.CONFIG:
            if self._isr[0] & IsrBit.CONFIG:
                self.shown += 1
            else:
                self.missing += 1
        return IsrBit.QUEUE | IsrBit.CONFIG if shared else alone

    def wait(self, seconds: float) -> int:
        """Sleep until an interrupt or until the time is over, then collect: the bits seen, 0 for none."""
        self.line.enable()
        arrived = self.line.wait(seconds)
        if self._messages is not None:
            return self._collect_messages(self._messages, flush=not arrived)
        return self.collect()

    def interrupts(self) -> int:
        """Interrupts delivered on the line since the function was opened."""
        return self.line.count()
