"""Why a scenario ends before its end: exceptions that carry what was seen, for the history and not for a verdict."""

from __future__ import annotations

from uvirtio.errors import DeviceError
from uvirtio.spec.status import describe
from uvirtio.suspend import Transition

__all__ = ["FailedAsleep", "NotResumed", "NotSuspended", "NotWorking", "Refused", "Skip"]


class Skip(Exception):
    """The scenario can show nothing here; the message says what was missing."""

    how = "skip"


class Refused(Skip):
    """The device answered with DEVICE_NEEDS_RESET, which it may."""

    how = "refused"

    def __init__(self, transition: Transition) -> None:
        self.transition = transition
        super().__init__(
            f"the device refused to {transition.kind} (DEVICE_NEEDS_RESET, status {describe(transition.status)}), which it may"
        )


class FailedAsleep(Refused):
    """DEVICE_NEEDS_RESET was set before the device was asked to resume: that is no answer to it."""

    def __init__(self, transition: Transition) -> None:
        super().__init__(transition)
        self.args = (f"the device failed while it was suspended, which it may: status {describe(transition.status)}",)


class NotSuspended(Skip):
    """The device did not suspend in time; V8 says what that means."""

    how = "not suspended"

    def __init__(self, transition: Transition, timeout: float) -> None:
        self.transition = transition
        super().__init__(f"the device did not suspend within {timeout:g} s: status {describe(transition.status)}")


class NotResumed(Skip):
    """The device did not resume in time; V9 says what that means."""

    how = "not resumed"

    def __init__(self, transition: Transition, timeout: float) -> None:
        self.transition = transition
        wrote = " and ".join(f"{byte:#04x}" for byte in transition.written)
        super().__init__(
            f"the device did not resume within {timeout:g} s of writing {wrote}: status {describe(transition.status)}"
        )


class NotWorking(DeviceError):
    """The device does not do ordinary work, before anything was asked of it that is to be judged."""
