"""Interrupts of the device: the ISR byte, the INTx level that follows it, and MSI-X messages (virtio 1.4, 4.1.5)."""

from __future__ import annotations

from collections.abc import Callable

from ..spec.registers import NO_VECTOR, IsrBit
from .log import AccessLog

__all__ = ["Interrupts"]


class Interrupts:
    """Decides what an interrupt of the device looks like from outside.

    With MSI-X off, ISR bits are set and the INTx level is the OR of them; ``on_level(asserted)`` tells whoever drives
    the line. With MSI-X on, ``on_message(vector)`` sends the message, and ISR shows the configuration bit alone, which is set
    before any notification of the configuration (4.1.4.5.1). ``both`` sets both ISR bits for a configuration change, as
    QEMU does. ``on_forget(vector)`` tells that no event is mapped to a vector any more, ``on_reset()`` that none is to any.
    """

    STATE = ("isr",)

    def __init__(self, log: AccessLog, *, both: bool = False) -> None:
        self.isr = 0
        self.msix = False
        self.both = both
        self.on_level: Callable[[bool], None] = lambda asserted: None
        self.on_message: Callable[[int], object] = lambda vector: None
        self.on_forget: Callable[[int], object] = lambda vector: None
        self.on_reset: Callable[[], object] = lambda: None
        self._log = log

    def queue(self, index: int, vector: int) -> None:
        """A used buffer notification for a queue whose MSI-X vector is ``vector``."""
        self._log.event("interrupt", f"queue {index}")
        self._send(IsrBit.QUEUE, vector)

    def config(self, vector: int) -> None:
        """A configuration change notification."""
        self._log.event("interrupt", "configuration")
        self._send(IsrBit.CONFIG | (IsrBit.QUEUE if self.both else 0), vector)

    def _send(self, bits: int, vector: int) -> None:
        if not self.msix:
            self.isr |= bits
            self.on_level(True)
            return
        if bits & IsrBit.CONFIG:
            self.isr |= bits
        self.message(vector)

    def message(self, vector: int) -> None:
        """Request the message of a vector; an event that is mapped to none sends nothing (4.1.5.3.1, 4.1.5.4.1)."""
        if vector != NO_VECTOR:
            self.on_message(vector)

    @property
    def pending(self) -> bool:
        """Whether the Interrupt Status bit of configuration space shows one (4.1.4.5.1)."""
        return self.isr != 0 and not self.msix

    def read_isr(self) -> int:
        """Reading ISR clears it and takes the interrupt back (4.1.4.5)."""
        value, self.isr = self.isr, 0
        self.on_level(False)
        return value

    def set_msix(self, enabled: bool) -> None:
        """MSI-X Enable changed: the INTx level belongs to the other mode."""
        if enabled != self.msix:
            self.msix = enabled
            self.on_level(not enabled and self.isr != 0)

    def reset(self) -> None:
        """As after a device reset: nothing pending."""
        self.isr = 0
        self.on_reset()
        self.on_level(False)
