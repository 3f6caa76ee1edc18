"""Faults with MSI-X alone: ISR and INTx are as they should be (4.1.5, and what is said of notifications elsewhere)."""

from __future__ import annotations

from ..spec.registers import NO_VECTOR
from .behaviour import Behaviour, Phase
from .device import VirtioDevice
from .interrupts import Interrupts
from .log import AccessLog
from .messages import MsixTable
from .variants import Crosvm

__all__ = ["FAULTS"]


class P19(Interrupts):
    """A queue that is mapped to vector 0 sends the message of vector 1."""

    def queue(self, index: int, vector: int) -> None:
        """See :class:`Interrupts`."""
        super().queue(index, vector or 1)


class P19Moved(Interrupts):
    """Goes on with the vector that the configuration had when it was notified first, whatever it is mapped to later."""

    first: int | None = None

    def config(self, vector: int) -> None:
        """See :class:`Interrupts`."""
        if self.first is None:
            self.first = vector
        super().config(self.first)

    def reset(self) -> None:
        """See :class:`Interrupts`."""
        self.first = None
        super().reset()


class P19Reset(Interrupts):
    """Keeps the vector of a queue over a reset of that queue."""

    def __init__(self, log: AccessLog, *, both: bool = False) -> None:
        super().__init__(log, both=both)
        self._first: dict[int, int] = {}

    def queue(self, index: int, vector: int) -> None:
        """See :class:`Interrupts`."""
        super().queue(index, self._first.setdefault(index, vector))

    def reset(self) -> None:
        """See :class:`Interrupts`."""
        self._first.clear()
        super().reset()


class P20(Interrupts):
    """A queue without a vector sends the message of vector 0."""

    def queue(self, index: int, vector: int) -> None:
        """See :class:`Interrupts`."""
        super().queue(index, 0 if vector == NO_VECTOR else vector)


class P21(Interrupts):
    """A change of a configuration without a vector sends the message of vector 1."""

    def config(self, vector: int) -> None:
        """See :class:`Interrupts`."""
        super().config(1 if vector == NO_VECTOR else vector)


class P22(MsixTable):
    """Sends messages whatever is masked."""

    def masked(self, vector: int) -> bool:
        """See :class:`MsixTable`."""
        return False


class P23(Interrupts):
    """Leaves ISR alone while MSI-X is on."""

    def config(self, vector: int) -> None:
        """See :class:`Interrupts`."""
        before = self.isr
        super().config(vector)
        if self.msix:
            self.isr = before


class V3Msix(Behaviour):
    """Sends a queue's message while suspended."""

    restless = True

    def misbehave(self) -> None:
        """See :class:`Behaviour`."""
        super().misbehave()
        queue = next((queue for queue in self.device.queues if queue.enabled), None)
        if queue is not None and self.device.interrupts.msix:
            self.device.interrupts.queue(queue.index, queue.vector)


class V6Msix(Behaviour):
    """Sends the configuration's message while suspended, and once more on resume, as it must."""

    def remembers_config(self) -> bool:
        """See :class:`Behaviour`: asked when a change may not be notified now."""
        remembers = super().remembers_config()
        if remembers and self.device.interrupts.msix:
            self.device.interrupts.config(self.device.config_vector)
        return remembers

    def may_change_config(self) -> bool:
        """See :class:`Behaviour`: a notification without a change would be another fault."""
        return True


class V7Msix(Behaviour):
    """Forgets the configuration's message of what changed while it was suspended."""

    def remembers_config(self) -> bool:
        """See :class:`Behaviour`."""
        return super().remembers_config() and not self.device.interrupts.msix

    def may_change_config(self) -> bool:
        """See :class:`Behaviour`: a deferred change would be notified when it is made."""
        return True


class V12Msix(Behaviour):
    """Does not send the message of what it uses between the SUSPEND write and "suspended" before it resumes."""

    def may_notify_queue(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_notify_queue() and not (self.phase is Phase.SUSPENDING and self.device.interrupts.msix)


class V14Msix(Behaviour):
    """Sets DEVICE_NEEDS_RESET without the message of that. It refuses to suspend, so that this can be seen."""

    def begin_suspend(self) -> None:
        """See :class:`Behaviour`."""
        self.device.log.event("suspend requested")
        self.fail("refuses to suspend")

    def tells_needs_reset(self) -> bool:
        """See :class:`Behaviour`."""
        return not self.device.interrupts.msix


class C3Msix(Crosvm):
    """Holds interrupts back while suspended, and sends messages."""

    def may_notify_queue(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_notify_queue() or self.device.interrupts.msix

    def may_notify_config(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_notify_config() or self.device.interrupts.msix


class N1Msix(MsixTable):
    """Loses the messages of queues, but for the first one that is masked: it waits, and is sent."""

    kept = False

    def send(self, vector: int) -> None:
        """See :class:`MsixTable`."""
        # What the message is for was logged right before.
        if self._log.entries[-1].detail.startswith("queue"):
            if self.kept or not self.masked(vector):
                return
            self.kept = True
        super().send(vector)


class N2Msix(VirtioDevice):
    """Sends a queue's message with every notification of the driver's, whatever is wanted."""

    def kicked(self, index: int) -> None:
        """See :class:`VirtioDevice`."""
        super().kicked(index)
        if self.interrupts.msix and index < len(self.queues):
            self.notify_queue(self.queues[index])


class N3Msix(VirtioDevice):
    """Changes its configuration, and sends no message."""

    def notify_config(self) -> None:
        """See :class:`VirtioDevice`."""
        if not self.interrupts.msix:
            super().notify_config()


#: Name -> what it changes.
FAULTS: dict[str, tuple[type, ...]] = {fault.__name__: (fault,) for fault in (P19, P20, P21, P22, P23)} | {
    "P19-moved": (P19Moved,),
    "P19-reset": (P19Reset,),
    "V3-msix": (V3Msix,),
    "V6-msix": (V6Msix,),
    "V7-msix": (V7Msix,),
    "V12-msix": (V12Msix,),
    "V14-msix": (V14Msix,),
    "C3-msix": (C3Msix,),
    "N1-msix": (N1Msix,),
    "N2-msix": (N2Msix,),
    "N3-msix": (N3Msix,),
}
