"""How a device suspends and resumes: the conforming behaviour of virtio 1.4 (2.1 and 3.4).

Every decision is a small method of its own, so that another profile, or a fault that breaks exactly one duty,
overrides one or two of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import ClassVar, Protocol

from ..access.clock import Event
from ..spec.features import Feature
from ..spec.status import Status, describe
from .interrupts import Interrupts
from .queue import DeviceQueue
from .seams import DeviceAround

__all__ = ["RESTLESS_PERIOD", "Behaviour", "BehaviourDevice", "Phase"]

#: Seconds between the misdeeds of a device that does not keep still while it is suspended.
RESTLESS_PERIOD = 0.01

_SETTABLE = Status.ACKNOWLEDGE | Status.DRIVER | Status.FEATURES_OK | Status.DRIVER_OK | Status.FAILED


class Phase(Enum):
    """Where the device stands."""

    INITIAL = "not live"
    RUNNING = "running"
    SUSPENDING = "suspending"
    SUSPENDED = "suspended"
    RESUMING = "resuming"
    FAILED = "needs reset"


class _Model(Protocol):
    """What a behaviour needs of the model of its device's type."""

    def disturb(self) -> Mapping[str, int] | None:
        """A change that nobody asked for and that does no harm; None where the type has none."""


class BehaviourDevice(DeviceAround, Protocol):
    """What a behaviour sees of the device that behaves by it: its registers, and what it can have it do."""

    status: int
    #: Feature bits that are offered, and those that the driver has written.
    offered: int
    accepted: int
    config_vector: int
    interrupts: Interrupts
    queues: list[DeviceQueue]

    @property
    def model(self) -> _Model:
        """What a fault takes a harmless change from."""

    @property
    def in_process(self) -> int:
        """Requests that were consumed and are not used yet."""

    def features_acceptable(self) -> bool:
        """Whether the accepted features are a valid subset (2.2.2)."""

    def start(self) -> None:
        """DRIVER_OK: the queues are live."""

    def reset(self) -> None:
        """Everything a driver set is forgotten; requests in process are dropped (2.4)."""

    def catch_up(self) -> None:
        """After a resume: what waited takes effect, what was held back is sent, the queues are looked at."""

    def service_all(self) -> None:
        """Look at every queue."""

    def change_config(self, values: Mapping[str, int]) -> None:
        """The device changes its configuration by itself and notifies; while suspended that waits for resume."""


class Behaviour:
    """Conforms to every statement of virtio 1.4. ``delay``: seconds that suspend and resume take at least."""

    profile: ClassVar[str] = "virtio-1.4"
    #: The feature bit that offers suspend, None for a device that knows nothing of it.
    feature: ClassVar[int | None] = Feature.SUSPEND
    #: Seconds that suspend and resume take where nothing else is asked for.
    default_delay: ClassVar[float] = 0.0
    #: Whether ``misbehave`` is called regularly while the device is suspended.
    restless: ClassVar[bool] = False
    #: Whether driver_feature shows what the driver wrote even where it was not offered.
    mirrors_features: ClassVar[bool] = False

    def __init__(self, device: BehaviourDevice, delay: float) -> None:
        self.device = device
        self.delay = delay
        self.phase = Phase.INITIAL
        self._due = 0.0
        self._event: Event | None = None

    # The status register

    def write_status(self, value: int) -> None:
        """The driver wrote the status byte."""
        device = self.device
        if value == 0:
            self.reset_written()
            return
        if device.status & ~value & _SETTABLE:
            device.log.fault("common", "device_status", f"clears bits of {describe(device.status)}", 0, 1, value)
        if self.phase is Phase.SUSPENDED:
            self.write_suspended(value)
        elif self.phase in (Phase.INITIAL, Phase.RUNNING):
            self.write_running(value)
        else:
            device.status |= value & Status.FAILED

    def write_running(self, value: int) -> None:
        """A status write outside of suspend: bits are only added."""
        device = self.device
        before = device.status
        added = value & ~before
        if added & Status.FEATURES_OK and not device.features_acceptable():
            device.log.event("features refused", f"accepted {device.accepted:#x}, offered {device.offered:#x}")
            value &= ~Status.FEATURES_OK
        if added & Status.DRIVER_OK and not (before | value) & Status.FEATURES_OK:
            device.log.fault("common", "device_status", "DRIVER_OK without FEATURES_OK (3.1.1)", 0, 1, value)
            value &= ~Status.DRIVER_OK
        device.status |= value & _SETTABLE
        if value & added & Status.DRIVER_OK:
            self.phase = Phase.RUNNING
            device.start()
        if value & Status.SUSPEND:
            if self.may_suspend(before):
                self.begin_suspend()
            else:
                self.suspend_ignored()

    def write_suspended(self, value: int) -> None:
        """A status write while suspended: DRIVER_OK resumes, FAILED is noted."""
        if value & Status.DRIVER_OK:
            self.begin_resume()
        else:
            self.device.status |= value & Status.FAILED

    def reset_written(self) -> None:
        """The driver wrote 0."""
        self.device.reset()

    def may_suspend(self, before: int) -> bool:
        """Whether SUSPEND means anything now: initialised completely, and the feature negotiated."""
        return bool(before & Status.DRIVER_OK) and self.feature is not None and self.device.negotiated(self.feature)

    def suspend_ignored(self) -> None:
        """SUSPEND was written when it means nothing."""
        self.device.log.event("suspend ignored")

    # Going to sleep and waking up

    def begin_suspend(self) -> None:
        """Stop consuming, and wait for what is in process."""
        self.phase = Phase.SUSPENDING
        self.device.log.event("suspend requested", f"{self.device.in_process} requests in process")
        self._progress_after_delay()

    def _progress_after_delay(self) -> None:
        self._cancel()
        self._due = self.device.clock.now() + self.delay
        if self.delay:
            self._event = self.device.clock.call_at(self._due, self.progress)
        else:
            self.progress()

    def _cancel(self) -> None:
        if self._event is not None:
            self._event.cancel()
            self._event = None

    def progress(self) -> None:
        """Go on with a suspend or a resume as far as possible now."""
        if self.device.clock.now() < self._due:
            return
        if self.phase is Phase.SUSPENDING and self.drained():
            self.present_suspended()
        elif self.phase is Phase.RESUMING:
            self.finish_resume()

    def drained(self) -> bool:
        """Whether everything that was in process has been used."""
        return self.device.in_process == 0

    def present_suspended(self) -> None:
        """The status shows it from here on."""
        self.phase = Phase.SUSPENDED
        self.device.status = self.suspended_status(self.device.status)
        self.device.log.event("suspend finished", describe(self.device.status))
        if self.restless:
            self._tick()

    def suspended_status(self, status: int) -> int:
        """What the status byte shows while suspended."""
        return (status | Status.SUSPEND) & ~Status.DRIVER_OK

    def begin_resume(self) -> None:
        """DRIVER_OK was written to a suspended device."""
        self.phase = Phase.RESUMING
        self.device.log.event("resume requested")
        self._progress_after_delay()

    def finish_resume(self) -> None:
        """The status shows "running" again, and what waited is done."""
        self.phase = Phase.RUNNING
        self.device.status = (self.device.status & ~Status.SUSPEND) | Status.DRIVER_OK
        self.device.log.event("resume finished", describe(self.device.status))
        self.device.catch_up()

    @property
    def left(self) -> float:
        """Seconds that a suspend or a resume which is under way takes at least from now on."""
        return max(0.0, self._due - self.device.clock.now())

    def restore(self, phase: Phase, left: float) -> None:
        """Go on where a device was that has been saved; see :attr:`left`."""
        self.phase = phase
        self._due = self.device.clock.now() + left
        if phase in (Phase.SUSPENDING, Phase.RESUMING):
            self._event = self.device.clock.call_at(self._due, self.progress)
        elif phase is Phase.SUSPENDED and self.restless:
            self._tick()

    def fail(self, why: str) -> None:
        """The error state: DEVICE_NEEDS_RESET, then a configuration change notification (2.1.2)."""
        device = self.device
        if self.phase is Phase.FAILED:
            return
        self.phase = Phase.FAILED
        for queue in device.queues:
            queue.drop()
        device.status |= Status.DEVICE_NEEDS_RESET
        device.log.event("needs reset", why)
        if self.tells_needs_reset():
            device.interrupts.config(device.config_vector)

    def reset(self) -> None:
        """The device was reset."""
        self.phase = Phase.INITIAL
        self._cancel()

    # What is allowed now

    def may_consume(self) -> bool:
        """Whether buffers may be taken from a queue."""
        return self.phase is Phase.RUNNING

    def may_use(self) -> bool:
        """Whether requests in process may be completed."""
        return self.phase in (Phase.RUNNING, Phase.SUSPENDING)

    def may_notify_queue(self) -> bool:
        """Whether used buffer notifications may be sent."""
        return self.phase in (Phase.RUNNING, Phase.SUSPENDING)

    def may_notify_config(self) -> bool:
        """Whether configuration change notifications may be sent."""
        return self.phase in (Phase.RUNNING, Phase.SUSPENDING)

    def remembers_config(self) -> bool:
        """Whether a notification that may not be sent now is sent on resume."""
        return self.is_suspended()

    def may_change_config(self) -> bool:
        """Whether the device may change configuration fields."""
        return not self.is_suspended()

    def may_write_config(self) -> bool:
        """Whether the driver's writes to configuration registers (the status aside) take effect."""
        return not self.is_suspended()

    def is_suspended(self) -> bool:
        """Whether the driver sees the device suspended: until a resume is finished it still is."""
        return self.phase in (Phase.SUSPENDED, Phase.RESUMING)

    def tells_needs_reset(self) -> bool:
        """Whether DEVICE_NEEDS_RESET comes with its notification."""
        return True

    # What happens around it

    def kicked(self, queue: DeviceQueue) -> None:
        """The driver notified a queue."""
        if queue.enabled:
            queue.service()

    def queue_enabled(self, queue: DeviceQueue) -> None:
        """The driver enabled a queue."""

    def misbehave(self) -> None:
        """Called every :data:`RESTLESS_PERIOD` while suspended, for the faults that are ``restless``."""

    def _tick(self) -> None:
        if self.phase is Phase.SUSPENDED:
            self._event = self.device.clock.call_at(self.device.clock.now() + RESTLESS_PERIOD, self._tick_due)

    def _tick_due(self) -> None:
        if self.phase is Phase.SUSPENDED:
            with self.device.guarded():
                self.misbehave()
            self._tick()
