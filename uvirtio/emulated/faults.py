"""One fault per duty of the device: each breaks that duty, and what it cannot help breaking with it, nothing else.

A fault is a class that overrides one or two decisions of :class:`Behaviour` (or of the draft dialects' behaviours);
several are combined by inheritance.
"""

from __future__ import annotations

from ..spec.status import Status
from . import (
    faults_balloon,
    faults_basic,
    faults_blk,
    faults_console,
    faults_draft,
    faults_input,
    faults_messages,
    faults_net,
    faults_notifications,
    faults_pci,
    faults_queues,
    faults_rng,
    faults_robustness,
    faults_survive,
    faults_suspend,
)
from .behaviour import RESTLESS_PERIOD, Behaviour, Phase
from .queue import DeviceQueue
from .ring import LONGEST

__all__ = ["FAULTS", "statement_of"]

#: What a buffer is half filled with by a device that was stopped in the middle of a request: nothing that a driver
#: fills untouched buffers with, or it would not show.
_HALF_DONE = b"\x3c"


class V1(Behaviour):
    """Takes SUSPEND before initialisation is complete: the bit reads back, until DRIVER_OK."""

    def suspend_ignored(self) -> None:
        """See :class:`Behaviour`."""
        if self.phase is Phase.INITIAL:
            self.device.status |= Status.SUSPEND
            self.device.log.event("suspend taken too early")
        else:
            super().suspend_ignored()

    def write_running(self, value: int) -> None:
        """See :class:`Behaviour`."""
        super().write_running(value)
        if self.phase is Phase.RUNNING:
            self.device.status &= ~Status.SUSPEND


class V2(Behaviour):
    """Takes configuration writes while suspended."""

    def may_write_config(self) -> bool:
        """See :class:`Behaviour`."""
        return True


class V3(Behaviour):
    """Sends used buffer notifications while suspended, without having touched a queue."""

    restless = True

    def misbehave(self) -> None:
        """See :class:`Behaviour`."""
        super().misbehave()
        queue = next((queue for queue in self.device.queues if queue.enabled), None)
        if queue is not None:
            self.device.interrupts.queue(queue.index, queue.vector)


class V4(Behaviour):
    """Goes on working on the queues while suspended; only the notifications wait for resume."""

    restless = True

    def misbehave(self) -> None:
        """See :class:`Behaviour`."""
        super().misbehave()
        self.device.service_all()

    def may_consume(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_consume() or self.phase is Phase.SUSPENDED

    def may_use(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_use() or self.is_suspended()


class V5(Behaviour):
    """Changes its configuration while suspended; the notification comes on resume."""

    restless = True

    def misbehave(self) -> None:
        """See :class:`Behaviour`."""
        super().misbehave()
        change = self.device.model.disturb()
        if change is not None:
            self.device.change_config(change)

    def may_change_config(self) -> bool:
        """See :class:`Behaviour`."""
        return True


class V6(Behaviour):
    """Notifies configuration changes while suspended, and once more on resume, as it must."""

    def remembers_config(self) -> bool:
        """See :class:`Behaviour`: asked when a change may not be notified now."""
        remembers = super().remembers_config()
        if remembers:
            self.device.interrupts.config(self.device.config_vector)
        return remembers

    def may_change_config(self) -> bool:
        """See :class:`Behaviour`: a notification without a change would be another fault."""
        return True


class V7(Behaviour):
    """Forgets the notification of what changed while it was suspended."""

    def remembers_config(self) -> bool:
        """See :class:`Behaviour`."""
        return False

    def may_change_config(self) -> bool:
        """See :class:`Behaviour`: a deferred change would be notified when it is made."""
        return True


class V8(Behaviour):
    """Neither suspends nor says that it cannot: goes on as if nothing had been written."""

    def begin_suspend(self) -> None:
        """See :class:`Behaviour`."""
        self.suspend_ignored()


class V9(Behaviour):
    """Neither resumes nor says that it cannot when DRIVER_OK is written; only clearing SUSPEND (0x0f) wakes it."""

    def write_suspended(self, value: int) -> None:
        """See :class:`Behaviour`."""
        if not value & Status.SUSPEND:
            super().write_suspended(value)


class V10(Behaviour):
    """Goes on consuming until it presents "suspended": everything in the rings, notified or not, is used up first."""

    def may_consume(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_consume() or self.phase is Phase.SUSPENDING

    def begin_suspend(self) -> None:
        """See :class:`Behaviour`."""
        self.phase = Phase.SUSPENDING
        with self.device.guarded():
            self.device.service_all()
        if self.phase is Phase.SUSPENDING:
            super().begin_suspend()


class V11(Behaviour):
    """Presents "suspended" with requests in process, their buffers half written; they are finished on resume."""

    def drained(self) -> bool:
        """See :class:`Behaviour`."""
        return True

    def present_suspended(self) -> None:
        """See :class:`Behaviour`."""
        with self.device.guarded():
            for queue in self.device.queues:
                for request in queue.in_process:
                    request.chain.write(_HALF_DONE * min(-(-request.chain.writable_size // 2), LONGEST))
        super().present_suspended()


class V12(Behaviour):
    """Does not notify what it uses between the SUSPEND write and "suspended" before it resumes."""

    def may_notify_queue(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_notify_queue() and self.phase is not Phase.SUSPENDING


class V13(Behaviour):
    """Consumes and notifies before DRIVER_OK: looks at a queue as soon as it is enabled."""

    def queue_enabled(self, queue: DeviceQueue) -> None:
        """See :class:`Behaviour`."""
        super().queue_enabled(queue)
        self._look()

    def _look(self) -> None:
        self._cancel()
        if self.phase is Phase.INITIAL and self.device.status:
            with self.device.guarded():
                self.device.service_all()
            self._event = self.device.clock.call_at(self.device.clock.now() + RESTLESS_PERIOD, self._look)

    def may_consume(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_consume() or self.phase is Phase.INITIAL

    def may_use(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_use() or self.phase is Phase.INITIAL

    def may_notify_queue(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_notify_queue() or self.phase is Phase.INITIAL


class V14(Behaviour):
    """Sets DEVICE_NEEDS_RESET without its notification. It refuses to suspend, so that this can be seen."""

    def begin_suspend(self) -> None:
        """See :class:`Behaviour`."""
        self.device.log.event("suspend requested")
        self.fail("refuses to suspend")

    def tells_needs_reset(self) -> bool:
        """See :class:`Behaviour`."""
        return False


class V15(Behaviour):
    """Writing 0 while suspended clears the status and nothing else: the queues stay enabled."""

    def reset_written(self) -> None:
        """See :class:`Behaviour`."""
        if self.phase is Phase.SUSPENDED:
            self.device.log.event("reset half done")
            self.phase = Phase.INITIAL
            self._cancel()
            self.device.status = 0
        else:
            super().reset_written()


class V16(Behaviour):
    """Resumes with ring indices from the past: what it consumed last, it consumes once more."""

    def finish_resume(self) -> None:
        """See :class:`Behaviour`."""
        for queue in self.device.queues:
            if queue.ring is not None:
                queue.ring.rewind()
        super().finish_resume()


#: Name -> what it changes. It begins with the id of the statement that it breaks; what follows a dash tells several apart.
FAULTS: dict[str, tuple[type, ...]] = {
    fault.__name__: (fault,) for fault in (V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12, V13, V14, V15, V16)
}
for _chapter in (
    faults_draft,
    faults_suspend,
    faults_basic,
    faults_queues,
    faults_notifications,
    faults_pci,
    faults_messages,
    faults_rng,
    faults_blk,
    faults_net,
    faults_console,
    faults_balloon,
    faults_input,
    faults_robustness,
    faults_survive,
):
    FAULTS |= _chapter.FAULTS


def statement_of(fault: str) -> str:
    """The id of the statement that a fault breaks."""
    return fault.partition("-")[0]
