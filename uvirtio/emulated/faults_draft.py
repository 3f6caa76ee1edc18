"""The faults of the two draft dialects: R3 to R7 of the RFC, C1 to C3 of the Chromium dialect."""

from __future__ import annotations

from ..spec.status import Status
from .behaviour import Phase
from .variants import Crosvm, Rfc

__all__ = ["FAULTS"]


class R3(Rfc):
    """Takes SUSPEND before FEATURES_OK: the bit reads back, until FEATURES_OK."""

    def suspend_ignored(self) -> None:
        """See :class:`Behaviour`."""
        if not self.device.status & Status.FEATURES_OK:
            self.device.status |= Status.SUSPEND
            self.device.log.event("suspend taken too early")
        else:
            super().suspend_ignored()

    def write_running(self, value: int) -> None:
        """See :class:`Behaviour`."""
        super().write_running(value)
        if self.phase is not Phase.SUSPENDED and self.device.status & Status.FEATURES_OK:
            self.device.status &= ~Status.SUSPEND


class R4(Rfc):
    """Suspends although the feature was not negotiated."""

    def may_suspend(self, before: int) -> bool:
        """See :class:`Behaviour`."""
        return bool(before & Status.FEATURES_OK)


class R5(Rfc):
    """Takes no status write while suspended, reset aside; so it does not resume either."""

    def write_suspended(self, value: int) -> None:
        """See :class:`Behaviour`."""
        self.device.log.event("write ignored while suspended", f"device_status = {value:#x}")


class R6(Rfc):
    """Does not clear SUSPEND, and does not resume, upon DRIVER_OK; other bits are taken."""

    def begin_resume(self) -> None:
        """See :class:`Behaviour`."""
        self.device.log.event("resume ignored")


class R7(Rfc):
    """Presents SUSPEND without having stopped: goes on consuming buffers while suspended."""

    restless = True

    def drained(self) -> bool:
        """See :class:`Behaviour`."""
        return True

    def misbehave(self) -> None:
        """See :class:`Behaviour`."""
        super().misbehave()
        self.device.service_all()

    def may_consume(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_consume() or self.phase in (Phase.SUSPENDING, Phase.SUSPENDED)

    def may_use(self) -> bool:
        """See :class:`Behaviour`."""
        return super().may_use() or self.is_suspended()


class C1(Crosvm):
    """Suspended reads 0x1b instead of 0x1f."""

    def suspended_status(self, status: int) -> int:
        """See :class:`Behaviour`."""
        return super().suspended_status(status) & ~Status.DRIVER_OK

    def finish_resume(self) -> None:
        """See :class:`Behaviour`."""
        self.device.status |= Status.DRIVER_OK
        super().finish_resume()


class C2(Crosvm):
    """Clearing SUSPEND does not resume."""

    def begin_resume(self) -> None:
        """See :class:`Behaviour`."""
        self.device.log.event("resume ignored")


class C3(Crosvm):
    """Does not hold interrupts back while suspended."""

    def may_notify_queue(self) -> bool:
        """See :class:`Behaviour`."""
        return True

    def may_notify_config(self) -> bool:
        """See :class:`Behaviour`."""
        return True


FAULTS: dict[str, tuple[type, ...]] = {fault.__name__: (fault,) for fault in (R3, R4, R5, R6, R7, C1, C2, C3)}
