"""Further ways to break what is said about suspend: those that a look at the status and at the busiest queue does not show."""

from __future__ import annotations

from collections.abc import Mapping

from ..spec.features import Feature
from ..spec.registers import COMMON, IsrBit
from ..spec.status import Status
from .behaviour import Behaviour, Phase
from .common import CommonConfig
from .device import VirtioDevice
from .interrupts import Interrupts
from .queue import DeviceQueue

__all__ = ["FAULTS"]


class V3Waking(Behaviour):
    """Works and notifies from the write of DRIVER_OK on, while its status shows it suspended still."""

    def begin_resume(self) -> None:
        """See :class:`Behaviour`."""
        super().begin_resume()
        if self.phase is Phase.RESUMING:
            with self.device.guarded():
                self.device.service_all()

    def may_consume(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_consume() or self.phase is Phase.RESUMING

    def may_use(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_use() or self.phase is Phase.RESUMING

    def may_notify_queue(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_notify_queue() or self.phase is Phase.RESUMING


class V7Lost(VirtioDevice):
    """Drops a change that comes while it is suspended, and notifies it on resume."""

    def change_config(self, values: Mapping[str, int]) -> None:
        """See :class:`VirtioDevice`."""
        if self.behaviour.is_suspended():
            self.notify_config()
        else:
            super().change_config(values)


class V7OnTheWay(Behaviour):
    """Forgets the notification of a change between the write of SUSPEND and the suspend."""

    def may_notify_config(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_notify_config() and self.phase is not Phase.SUSPENDING


class V8Config(VirtioDevice):
    """A read of the configuration ends the suspend."""

    def read_config(self, offset: int, width: int) -> int:
        """See :class:`VirtioDevice`."""
        if self.behaviour.phase is Phase.SUSPENDED:
            self.behaviour.begin_resume()
        return super().read_config(offset, width)


class V8Select(CommonConfig):
    """A write to a register beside the status, which is ignored, ends the suspend."""

    def write(self, offset: int, width: int, value: int) -> None:
        """See :class:`CommonConfig`."""
        super().write(offset, width, value)
        behaviour = self._device.behaviour
        if offset != COMMON["device_status"].offset and behaviour.phase is Phase.SUSPENDED:
            behaviour.begin_resume()


class V9Queue(Behaviour):
    """The last queue is dead after a resume, and its registers say nothing of it."""

    def finish_resume(self) -> None:
        """See :class:`Behaviour`."""
        self.device.queues[-1].ring = None
        super().finish_resume()


class V12Cleared(Behaviour):
    """ISR is cleared when the device presents itself as suspended."""

    def present_suspended(self) -> None:
        """See :class:`Behaviour`."""
        super().present_suspended()
        self.device.interrupts.read_isr()


class V12Last(VirtioDevice):
    """Never notifies what it uses last on the way to a suspend."""

    def notify_queue(self, queue: DeviceQueue) -> None:
        """See :class:`VirtioDevice`."""
        if self.behaviour.phase is not Phase.SUSPENDING or self.in_process:
            super().notify_queue(queue)


class V13Silent(Behaviour):
    """Serves a queue that is notified before DRIVER_OK, and notifies nothing."""

    def may_consume(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_consume() or (self.phase is Phase.INITIAL and bool(self.device.status & Status.FEATURES_OK))

    def may_use(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_use() or (self.phase is Phase.INITIAL and bool(self.device.status))


class V15Isr(Behaviour):
    """A reset while suspended leaves a bit in ISR."""

    def reset_written(self) -> None:
        """See :class:`Behaviour`."""
        asleep = self.phase is Phase.SUSPENDED
        super().reset_written()
        if asleep:
            self.device.interrupts.isr |= IsrBit.QUEUE


class V16Queue(VirtioDevice):
    """What waits in the last queue over a suspend is never taken."""

    def catch_up(self) -> None:
        """See :class:`VirtioDevice`."""
        ring = self.queues[-1].ring
        while ring is not None and ring.pop() is not None:
            pass
        super().catch_up()


class S3Features(Behaviour):
    """A feature is forgotten over a suspend."""

    def finish_resume(self) -> None:
        """See :class:`Behaviour`."""
        self.device.accepted &= ~(1 << Feature.INDIRECT_DESC)
        super().finish_resume()


class S3Size(Behaviour):
    """queue_size reads the largest size after a resume; the ring goes on as it was."""

    def finish_resume(self) -> None:
        """See :class:`Behaviour`."""
        for queue in self.device.queues:
            queue.size = queue.maximum
        super().finish_resume()


class S3Address(Behaviour):
    """The address of an area reads otherwise after a resume; the ring goes on as it was."""

    def finish_resume(self) -> None:
        """See :class:`Behaviour`."""
        self.device.queues[0].addresses[1] += 64
        super().finish_resume()


class N5Asleep(Interrupts):
    """While it is suspended, Interrupt Status reads 0 and the line is low, whatever ISR holds."""

    withdrawn = False

    @property
    def pending(self) -> bool:
        """See :class:`Interrupts`."""
        return super().pending and not self.withdrawn


class N5Withdraws(Behaviour):
    """Takes the interrupt back when it presents itself as suspended."""

    def present_suspended(self) -> None:
        """See :class:`Behaviour`."""
        super().present_suspended()
        self.device.interrupts.withdrawn = True  # type: ignore[attr-defined]
        self.device.interrupts.on_level(False)

    def finish_resume(self) -> None:
        """See :class:`Behaviour`."""
        self.device.interrupts.withdrawn = False  # type: ignore[attr-defined]
        super().finish_resume()

    def reset(self) -> None:
        """See :class:`Behaviour`."""
        self.device.interrupts.withdrawn = False  # type: ignore[attr-defined]
        super().reset()


FAULTS: dict[str, tuple[type, ...]] = {
    "V3-waking": (V3Waking,), "V7-lost": (V7Lost,), "V7-on-the-way": (V7OnTheWay,), "V8-config": (V8Config,),
    "V8-select": (V8Select,), "V9-queue": (V9Queue,), "V12-cleared": (V12Cleared,), "V12-last": (V12Last,),
    "V13-silent": (V13Silent,), "V15-isr": (V15Isr,), "V16-queue": (V16Queue,), "S3-features": (S3Features,),
    "S3-size": (S3Size,), "S3-address": (S3Address,), "N5-asleep": (N5Asleep, N5Withdraws),
}  # fmt: skip
