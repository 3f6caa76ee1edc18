"""How devices in the field behave when they are suspended, each as a profile by name.

``behaviour`` puts a profile and faults together into one class.
"""

from __future__ import annotations

from itertools import takewhile
from typing import ClassVar

from ..errors import LocatorError
from ..spec.dialects import CHROMIUM, RFC
from ..spec.status import Status, describe
from .behaviour import Behaviour, Phase
from .variants import Crosvm, Rfc

__all__ = ["PROFILES", "profile_of"]


class Slow(Behaviour):
    """Conforms; suspend and resume each take their time (1 s, or ``delay``)."""

    profile = "slow"
    default_delay: ClassVar[float] = 1.0


class Refuses(Behaviour):
    """Cannot suspend: sets DEVICE_NEEDS_RESET, with its notification."""

    profile = "refuses"

    def begin_suspend(self) -> None:
        """See :class:`Behaviour`."""
        self.device.log.event("suspend requested")
        self.fail("refuses to suspend")


class RefusesResume(Behaviour):
    """Suspends, but cannot resume: sets DEVICE_NEEDS_RESET, with its notification."""

    profile = "refuses-resume"

    def begin_resume(self) -> None:
        """See :class:`Behaviour`."""
        self.device.log.event("resume requested")
        self.fail("refuses to resume")


class Stuck(Behaviour):
    """Never completes a suspend, and says nothing."""

    profile = "stuck"

    def drained(self) -> bool:
        """See :class:`Behaviour`."""
        return False


class StuckResume(Behaviour):
    """Never completes a resume, and says nothing."""

    profile = "stuck-resume"

    def finish_resume(self) -> None:
        """See :class:`Behaviour`."""


class QemuStore(Behaviour):
    """QEMU 7.2 to 11.1: knows nothing of SUSPEND and stores every byte; FEATURES_OK always sticks."""

    profile = "qemu-store"
    feature = None
    mirrors_features = True

    def write_status(self, value: int) -> None:
        """See :class:`Behaviour`: what was written is what reads back; only DRIVER_OK and 0 mean something."""
        device = self.device
        if value == 0:
            device.reset()
            return
        before, device.status = device.status, value
        if self.phase is Phase.FAILED:
            return
        if not value & Status.DRIVER_OK:
            self.phase = Phase.INITIAL
        elif not before & Status.DRIVER_OK:
            self.phase = Phase.RUNNING
            device.start()

    def may_use(self) -> bool:
        """See :class:`Behaviour`: a request that was begun is finished."""
        return self.phase in (Phase.INITIAL, Phase.RUNNING)


class QemuRfc2025Fixed(Behaviour):
    """That series with ``~`` for ``!``: 0x1f suspends again, only 0x0f resumes, changes are lost."""

    profile = "qemu-rfc-2025-fixed"

    def write_suspended(self, value: int) -> None:
        """See :class:`Behaviour`."""
        if value & Status.SUSPEND:
            self.device.log.event("suspended again", describe(value))
            self.device.status = self.suspended_status(value)
        else:
            super().write_suspended(value)

    def remembers_config(self) -> bool:
        """See :class:`Behaviour`."""
        return False

    def may_change_config(self) -> bool:
        """See :class:`Behaviour`: the change is made, its notification lost."""
        return True


class QemuRfc2025(QemuRfc2025Fixed):
    """The series of September 2025: ``status &= !DRIVER_OK`` makes the whole status 0 on suspend, and PCI then resets it."""

    profile = "qemu-rfc-2025"

    def begin_suspend(self) -> None:
        """See :class:`Behaviour`."""
        self.device.log.event("suspend requested")
        self.device.reset()


PROFILES: dict[str, type[Behaviour]] = {
    profile.profile: profile
    for profile in (
        Behaviour,
        Rfc,
        Crosvm,
        QemuStore,
        QemuRfc2025,
        QemuRfc2025Fixed,
        Slow,
        Refuses,
        RefusesResume,
        Stuck,
        StuckResume,
    )
}


def profile_of(profile: str, faults: str) -> tuple[type[Behaviour], tuple[type, ...]]:
    """The behaviour of a profile, and what these faults change.

    Without a profile, R faults mean ``rfc``, C faults ``crosvm``, everything else ``virtio-1.4``.
    Raises :class:`LocatorError` for an unknown name, and for a fault that does not belong to the profile's dialect.
    """
    names = [name.strip() for name in faults.split(",") if name.strip()]
    changes = [change for name in names for change in _changes(name, faults)]
    families = [letter for name in names if (letter := _family(name))]
    if not profile:
        profile = {"R": "rfc", "C": "crosvm"}.get(families[0] if families else "V", "virtio-1.4")
    if profile not in PROFILES:
        raise LocatorError(f"profile={profile}: there is no such profile; there are {', '.join(PROFILES)}")
    base = PROFILES[profile]
    spoken = {CHROMIUM.feature: "C", RFC.feature: "R", None: ""}.get(base.feature, "V")
    for name in names:
        if (family := _family(name)) and family != spoken:
            raise LocatorError(f"fault={name} does not belong to profile={profile}, which speaks another dialect")
    return base, tuple(changes)


def _changes(name: str, asked: str) -> tuple[type, ...]:
    # Here, since most devices have no fault, and there are as many as everything else together.
    from .faults import FAULTS

    if name not in FAULTS:
        raise LocatorError(f"fault={asked}: no fault {name!r}; there are {', '.join(FAULTS)}")
    return FAULTS[name]


def _family(fault: str) -> str:
    """The letter of the dialect's family that a fault belongs to; empty where it has nothing to do with suspend."""
    family = "".join(takewhile(str.isalpha, fault))
    return family if family in ("V", "R", "C") else ""
