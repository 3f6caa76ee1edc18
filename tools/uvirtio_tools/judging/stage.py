"""What a scenario is given: the device and its parts, each with a name of its own."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from uvirtio.bus import Triggers
from uvirtio.device import Device
from uvirtio.errors import CannotRun, DeviceError, DeviceGone
from uvirtio.spec.dialects import V1_4, Dialect
from uvirtio.spec.features import Features

from ..driving.announced import Announcements
from ..driving.bring_up import BringUp
from ..driving.options import RunOptions
from .deadline import Deadline
from .ends import NotWorking
from .events import Fired, Read, Started
from .history import History, Setting
from .names import STARTING
from .sleeper import Sleeper
from .traffic import TrafficSource

__all__ = ["Stage"]


def setting_of(bring_up: BringUp) -> Setting:
    """What goes for a whole run with this device and these options."""
    device, options = bring_up.device, bring_up.options
    line = device.notifications.line
    dialect = bring_up.dialect.name if bring_up.dialect is not None else ""
    return Setting(
        device.identity.type, device.identity.type_name, dialect, options.timeout, options.hold,
        line.description, line.present, bring_up.unmoved, device.configuration.length,
    )  # fmt: skip


@dataclass(slots=True)
class Stage:
    """A device that is to be judged, and what is used to do something to it.

    ``dialect`` is the one that it speaks, virtio 1.4's where it offers no suspend.
    ``may_provoke``: whether it may be given a buffer at an address where no memory should be.
    """

    device: Device
    options: RunOptions
    dialect: Dialect
    history: History
    bring_up: BringUp
    deadline: Deadline
    traffic: TrafficSource
    sleeper: Sleeper
    may_provoke: bool = False
    announced: Announcements | None = None

    @classmethod
    def of(cls, bring_up: BringUp, triggers: Triggers | None = None) -> Stage:
        """Put the parts together. The device has to be one that keeps a history, and its dialect to have been chosen."""
        device, options = bring_up.device, bring_up.options
        history = device.recorder
        assert isinstance(history, History), "a stage needs a device with a history"
        deadline = Deadline(device.clock, options.timeout, options.hold)
        if triggers is None:
            triggers = device.function.triggers
        traffic = TrafficSource(bring_up, history, deadline, triggers, options.hold)
        dialect = bring_up.dialect or V1_4
        sleeper = Sleeper(device, dialect, traffic, history, deadline, options.hold)
        history.setting = setting_of(bring_up)
        history.way = device.messages.description if device.messages is not None else ""
        return cls(device, options, dialect, history, bring_up, deadline, traffic, sleeper)

    def start(
        self,
        *,
        suspend: bool = True,
        extra: Features | None = None,
        without: Features | None = None,
        reset: bool = True,
    ) -> None:
        """A running device whose traffic has been seen to work: the positive control of what follows.

        ``extra`` features are accepted besides, those in ``without`` are left out. Raises :class:`NotWorking` when it has
        not, or does not get that far.
        """
        try:
            if reset:
                self.sleeper.wake()
            self.bring_up.start(suspend=suspend, extra=extra, without=without, reset=reset)
            self.note_started()
            self.traffic.prove()
        except DeviceGone:
            raise
        except DeviceError as error:
            self.traffic.note(STARTING, error)
            raise NotWorking(f"the device does not do ordinary work: {error}") from error

    def note_started(self) -> None:
        """Put into the history what was negotiated and set up."""
        device = self.device
        accepted = device.negotiated.accepted.mask if device.negotiated else 0
        sizes = {index: queue.size for index, queue in device.queues.items()}
        self.history.setting = self.history.setting._replace(unmoved=self.bring_up.unmoved)
        self.traffic.find_answering()
        self.announced = Announcements(device)
        self.history.add(Started(self.history.now(), accepted, sizes, self.bring_up.workload is not None))

    def read(self, what: str, value: object) -> None:
        """Put something that was read into the history."""
        self.history.add(Read(self.history.now(), what, str(value)))

    def unasked(self, end: Exception | None) -> list[str]:
        """What the device has announced by itself in the window that is open, where nobody asked the host for anything.

        Where something went wrong (``end``) it is looked for although no notification has been seen.
        """
        announced, window = self.announced, self.history.window
        if announced is None or self.device.negotiated is None or not (announced.notified or end):
            return []
        with suppress(DeviceError):
            news = announced.news()
            return [] if window.of(Fired) else news
        return []

    def end(self) -> None:
        """Leave the device in reset, whatever was done to it. Raises :class:`DeviceError` when that is impossible."""
        self.deadline.lift()
        self.announced = None
        try:
            self.sleeper.wake()
            self.sleeper.reset()
            self.history.note_strays(self.device)
            self.bring_up.forget()
            while self.traffic.cleanups:
                with suppress(CannotRun):
                    self.traffic.cleanups.pop()()
        finally:
            self.traffic.control = None
            self.device.notifications.collect()
