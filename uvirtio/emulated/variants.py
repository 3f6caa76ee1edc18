"""The two draft dialects of suspend as behaviours of their own: the RFC of 2023, and what crosvm does today."""

from __future__ import annotations

from ..spec.dialects import CHROMIUM, RFC
from ..spec.status import Status, describe
from .behaviour import Behaviour, Phase

__all__ = ["Crosvm", "Rfc"]


class Rfc(Behaviour):
    """The RFC of August 2023: bit 41, DRIVER_OK stays set, and FEATURES_OK is enough to suspend."""

    profile = "rfc"
    feature = RFC.feature

    def may_suspend(self, before: int) -> bool:
        """See :class:`Behaviour`."""
        return bool(before & Status.FEATURES_OK) and self.device.negotiated(RFC.feature)

    def suspended_status(self, status: int) -> int:
        """See :class:`Behaviour`."""
        return status | Status.SUSPEND


class Crosvm(Behaviour):
    """crosvm: bit 42. It only holds interrupts back; queues run on, configuration writes land, 0x0f resumes."""

    profile = "crosvm"
    feature = CHROMIUM.feature

    def may_suspend(self, before: int) -> bool:
        """See :class:`Behaviour`."""
        return bool(before & Status.FEATURES_OK) and self.device.negotiated(CHROMIUM.feature)

    def begin_suspend(self) -> None:
        """See :class:`Behaviour`: there is nothing to wait for."""
        self.device.log.event("suspend requested")
        self.present_suspended()

    def suspended_status(self, status: int) -> int:
        """See :class:`Behaviour`."""
        return status | Status.SUSPEND

    def write_suspended(self, value: int) -> None:
        """See :class:`Behaviour`: only clearing the bit resumes."""
        if value & Status.SUSPEND:
            self.device.status |= value & Status.FAILED
        else:
            self.begin_resume()

    def finish_resume(self) -> None:
        """See :class:`Behaviour`."""
        device = self.device
        device.status &= ~Status.SUSPEND
        self.phase = Phase.RUNNING if device.status & Status.DRIVER_OK else Phase.INITIAL
        device.log.event("resume finished", describe(device.status))
        device.catch_up()

    def may_consume(self) -> bool:
        """See :class:`Behaviour`: the queues do not notice."""
        return self.phase in (Phase.RUNNING, Phase.SUSPENDED) and bool(self.device.status & Status.DRIVER_OK)

    def may_use(self) -> bool:
        """See :class:`Behaviour`."""
        return self.may_consume()

    def may_change_config(self) -> bool:
        """See :class:`Behaviour`."""
        return True

    def may_write_config(self) -> bool:
        """See :class:`Behaviour`."""
        return True
