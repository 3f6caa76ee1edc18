"""The bench that a check works on: a freshly initialised device, brought up for each check and down again."""

from __future__ import annotations

from contextlib import suppress

from uvirtio.errors import CannotRun, DeviceError, DeviceGone, DeviceTimeout, UvirtioError
from uvirtio.spec.features import Features
from uvirtio.spec.status import Status
from uvirtio.status import DONE, Phase, status_table
from uvirtio_drivers import workload_of

from ..judging.looks import watched
from ..judging.outcomes import NotWorking
from ..judging.verdict import Skip
from .suspending import TRIES, SuspendStage

__all__ = ["Bench"]


class Bench(SuspendStage):
    """Brings the device up for each check, and down again: what every check is given."""

    @property
    def wanted(self) -> Features:
        """What a check negotiates: the driver's features and the dialect's."""
        own = self.driver_class.FEATURES if self.driver_class else Features()
        return own | Features.of(self.dialect.feature)

    def negotiate(self, *, suspend: bool = True, extra: Features | None = None, reset: bool = True) -> None:
        """Reset, and go on up to FEATURES_OK. ``suspend=False`` leaves the dialect's feature out.

        ``reset=False`` is for a device that has just been reset, to see what that very reset left behind.
        """
        device = self.device
        if device.phase is Phase.SUSPENDED:
            self._wake()
        self._asleep = None
        if reset:
            device.begin()
        else:
            device.acknowledge()
        self.forget_workload()
        self.accept(suspend=suspend, extra=extra)

    def accept(self, *, suspend: bool = True, extra: Features | None = None) -> None:
        """Negotiate on a device that is at DRIVER."""
        feature = Features.of(self.dialect.feature)
        self.device.negotiate(
            (self.wanted if suspend else self.wanted - feature) | (extra or Features()),
            required=feature if suspend else None,
            without=self.without if suspend else self.without | feature,
            dependencies=self.driver_class.DEPENDENCIES if self.driver_class else None,
        )

    def set_up_queues(self) -> None:
        """Make and enable the driver's queues; each is watched."""
        if self.driver_class is not None:
            for index, limit in self.driver_class.queues(self.device).items():
                self.device.set_up_queue(index, limit)
        self.queues = watched(self.device)

    def go(self) -> None:
        """The driver starts, after DRIVER_OK."""
        if self.driver_class is not None:
            self.driver = self.driver_class(self.device)
            self.driver.start()
            self.workload = workload_of(self.driver, **self.options)

    def start(self, *, suspend: bool = True, extra: Features | None = None, reset: bool = True) -> None:
        """A running device whose traffic has been seen to work: the positive control of the check.

        Raises :class:`NotWorking` when it has not, or does not get that far.
        """
        try:
            self.negotiate(suspend=suspend, extra=extra, reset=reset)
            self.set_up_queues()
            self.device.driver_ok()
            self.go()
            self.control = None if self.workload is None else self.traffic()
            if self.control is not None and not self.control.queue_bit and self.device.notifications.used:
                # It did show before: the driver was faster than the notification, or the device is late with it.
                self.sleep(self.hold_time)
                self.control = self.traffic()
        except DeviceGone:
            raise
        except DeviceError as error:
            raise NotWorking(f"the device does not do ordinary work: {error}") from error

    def end(self) -> None:
        """Leave the device in reset, whatever the check did to it. Raises :class:`DeviceError` when that is impossible."""
        self._deadline = float("inf")
        try:
            if self.device.phase is Phase.SUSPENDED:
                self._wake()
            self._asleep = None
            self._reset()
            while self.cleanups:
                with suppress(CannotRun):
                    self.cleanups.pop()()
        finally:
            self.history += self.records()
            self._position = self.recorder.mark("between checks")
            self.driver, self.queues, self.control = None, {}, None
            self.device.notifications.collect()

    def _wake(self) -> None:
        """A suspended device might not reset: it is resumed first, where it is known to resume."""
        status = self.device.status.read()
        suspended = self.dialect.is_suspended(status) and not status & Status.DEVICE_NEEDS_RESET
        if suspended and len(self._failures["resume"]) < TRIES:
            try:
                self.resume(kick=False)
            except (Skip, UvirtioError):
                return

    def _reset(self) -> None:
        try:
            self.device.reset(self.timeout)
        except DeviceTimeout:
            # Some devices ignore a reset while they are suspended or on their way there.
            self._revive()
            self.device.reset(self.timeout)
        self.forget_workload()

    def _revive(self) -> None:
        """Resume a device that does not reset: by DRIVER_OK, then by clearing SUSPEND as well."""
        device = self.device
        running = status_table(self.dialect.is_running)
        for clearing in (0, int(Status.SUSPEND)):
            byte = (device.status.read() | Status.DRIVER_OK) & ~clearing
            with device.deviating("D7", "waking a device that does not reset"):
                device.status.write(byte)
            if device.status.await_(running, self.timeout).outcome == DONE:
                return

    def forget_workload(self) -> None:
        """Give the buffers of the last workload back: the device has been reset."""
        workload, self.workload = self.workload, None
        close = getattr(workload, "close", None)
        if close is not None:
            close()
