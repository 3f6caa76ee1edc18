"""What can come out of a step on the bench: the looks around a suspend, what traffic showed, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass

from uvirtio.errors import DeviceError
from uvirtio.queue import QueueState
from uvirtio.spec.status import describe
from uvirtio.suspend import Transition

from .looks import Look
from .verdict import Skip

__all__ = ["Control", "FailedAsleep", "NotResumed", "NotSuspended", "NotWorking", "Overdue", "Refused", "Window"]


class Refused(Skip):
    """The device answered with DEVICE_NEEDS_RESET, which it may."""

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

    def __init__(self, transition: Transition, timeout: float) -> None:
        self.transition = transition
        super().__init__(f"the device did not suspend within {timeout:g} s: status {describe(transition.status)}")


class NotResumed(Skip):
    """The device did not resume in time; V9 says what that means."""

    def __init__(self, transition: Transition, timeout: float) -> None:
        self.transition = transition
        wrote = " and ".join(f"{byte:#04x}" for byte in transition.written)
        super().__init__(
            f"the device did not resume within {timeout:g} s of writing {wrote}: status {describe(transition.status)}"
        )


class NotWorking(DeviceError):
    """The device does not do ordinary work, before anything was asked of it that is to be judged."""


class Overdue(Exception):
    """A check used up its time."""


@dataclass(frozen=True, slots=True)
class Control:
    """The positive control: what traffic on the running device showed, in this very check.

    ``queue_bit``: ISR bit 0 was seen alone. ``config_bit``: bit 1 came with ordinary traffic, so it tells nothing.
    """

    completed: int
    queue_bit: bool
    config_bit: bool
    #: ISR showed a bit although it had just been read, with nothing left to be notified.
    sticky: bool = False

    @property
    def notified(self) -> bool:
        """Whether ISR showed anything at all."""
        return self.queue_bit or self.config_bit

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return {"completed": self.completed, "isr_queue_bit": self.queue_bit, "isr_config_bit": self.config_bit}


@dataclass(slots=True)
class Window:
    """One suspend as it was watched: before the write, at the first "done" read, and settled."""

    before: Look
    transition: Transition
    done: Look
    settled: Look
    outstanding: int
    #: The queues just before the write.
    queues: dict[int, QueueState]

    @property
    def cleared(self) -> Look | None:
        """The first look whose read of ISR cleared it: what ISR shows after that was set after that.

        Some devices answer all-ones on their way to sleep, and for a while longer. None: ISR was not to be read.
        """
        return next((look for look in (self.done, self.settled) if look.isr is not None), None)

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return {
            "suspend": self.transition.to_json(),
            "outstanding_at_write": self.outstanding,
            "before": self.before.to_json(),
            "at_done": self.done.to_json(),
            "settled": self.settled.to_json(),
        }
