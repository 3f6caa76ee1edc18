"""Requests on the device that is judged: in bulk and singly, whether they come back, and how they are notified."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from uvirtio.access.wait import YES, poll
from uvirtio.bus import Triggers
from uvirtio.device import Device
from uvirtio.errors import CannotRun, DeviceError, DeviceGone, DriverMisuse
from uvirtio.spec.devices import queue_name
from uvirtio.spec.features import Features
from uvirtio_drivers.workload import Workload

from ..driving.bring_up import BringUp
from ..driving.notified import SETTLE, isr_count, shows_in_isr, shows_on_the_line
from .deadline import Deadline
from .ends import Skip
from .events import Drained, Fired, Listened, Loaded, Reaped, Traffic, Trouble
from .history import History
from .looks import watched
from .names import CONTROL

__all__ = ["TrafficSource"]

#: Requests whose notification may stay away before it is called lost.
REQUESTS = 3
_STICKY_LOOKS = 3


class TrafficSource:
    """The traffic of a device that was brought up. ``known``: the latest control, which says what would have been seen."""

    def __init__(
        self, bring_up: BringUp, history: History, deadline: Deadline, triggers: Triggers | None, hold: float
    ) -> None:
        self._bring_up = bring_up
        self._device: Device = bring_up.device
        self._history = history
        self._deadline = deadline
        self._triggers = triggers
        self._hold = hold
        self.control: Traffic | None = None
        #: See :meth:`find_answering`.
        self.answering: tuple[int, ...] = ()
        #: What has to be undone on the host side.
        self.cleanups: list[Callable[[], None]] = []
        #: Requests that were left unnotified on queues that the workload does not fill.
        self._left = 0

    @property
    def workload(self) -> Workload | None:
        """The workload, None where there is no driver."""
        return self._bring_up.workload

    def need(self) -> Workload:
        """The workload. Raises :class:`Skip` where there is no driver for the device."""
        if self.workload is None:
            raise Skip(self._bring_up.unmoved)
        return self.workload

    # -- in bulk -----------------------------------------------------------------------------------------------

    def prove(self) -> None:
        """The positive control: traffic on the running device, once more where its notifications are late."""
        self.control, self._left = None, 0
        if self.workload is None:
            return
        control = self.run(CONTROL)
        if not control.used and self._device.notifications.used:
            # It did show before: the driver was faster than the notification, or the device is late with it.
            self._device.clock.sleep(self._hold)
            control = self.run(CONTROL)
        self.control = control

    def run(self, doing: str) -> Traffic:
        """Fill the queues, notify, and let everything come back; verified."""
        workload, told = self.need(), self._device.notifications
        told.collect()
        used, config = told.used, told.config
        workload.submit()
        workload.kick()
        completed = self.drain(doing)
        workload.visit()
        self._device.clock.sleep(SETTLE)
        told.collect()
        shown = told.used > used, told.config > config
        # One look may meet a late notification; several in a row only what reading does not clear.
        sticky = all(told.collect() for _ in range(_STICKY_LOOKS))
        traffic = Traffic(self._history.now(), doing, completed, *shown, sticky=sticky)
        self._history.add(traffic)
        return traffic

    def try_run(self, doing: str) -> Traffic | None:
        """As :meth:`run`; what goes wrong is in the history, and the result None."""
        try:
            return self.run(doing)
        except DeviceGone:
            raise
        except (DeviceError, DriverMisuse) as error:
            self.note(doing, error)
            return None

    def try_drain(self, doing: str) -> bool:
        """As :meth:`drain`; what goes wrong is in the history, and the result False."""
        try:
            self.drain(doing)
        except DeviceGone:
            raise
        except DeviceError as error:
            self.note(doing, error)
            return False
        return True

    def note(self, doing: str, error: Exception) -> None:
        """Put what went wrong into the history."""
        rule = error.rule if isinstance(error, DeviceError) else ""
        self._history.add(Trouble(self._history.now(), doing, type(error).__name__, str(error), rule))

    def drain(self, doing: str) -> int:
        """Let everything that is owed come back, and verify it. Raises a :class:`DeviceError`.

        The time limit is for each step: a slow device is not a dead one.
        """
        workload = self.need()
        started = workload.completed
        while True:
            before = workload.completed

            def moved(before: int = before) -> bool:
                workload.reap()
                return workload.completed != before or not workload.outstanding

            waited = self._device.wait_for(moved, self._deadline.limit(), doing=doing)
            self._deadline.more(waited.seconds)  # only what is waited in vain uses the time up
            if not workload.outstanding:
                break
        if self._left:
            workload.visit()
            self._left = 0
        self._history.note_strays(self._device)
        workload.verify()
        completed = workload.completed - started
        self._history.add(Drained(self._history.now(), doing, completed, workload.proves()))
        return completed

    # -- what is in flight -------------------------------------------------------------------------------------

    def load(self, *, notified: bool = True, count: int | None = None) -> None:
        """Requests in flight (notified; none without ``notified``), and buffers waiting (published, not notified).

        ``count``: so many of these at most.
        """
        workload = self.need()
        # With room for one request only it is the one that waits.
        first = workload.room // 2 if notified else 0
        submitted = workload.submit(first) if first else 0
        if first:
            workload.kick()
        if workload.room:
            submitted += workload.submit(count)
        self._left = workload.leave()
        self._history.add(Loaded(self._history.now(), submitted, first, workload.outstanding))

    def reap(self) -> Reaped:
        """Take what is used now.

        Where an answer is wrong, that something was taken is in the history all the same: it has changed the rings.
        """
        workload = self.need()
        owed = workload.outstanding
        try:
            return self._reaped(workload.reap())
        except DeviceError:
            self._reaped(owed - workload.outstanding)
            raise

    def _reaped(self, count: int) -> Reaped:
        workload = self.need()
        left = tuple(
            f"queue {index} buffer {token}"
            for index, queue in watched(self._device).items()
            for token in queue.in_flight()
        )
        reaped = Reaped(self._history.now(), count, workload.outstanding, left)
        self._history.add(reaped)
        return reaped

    def find_answering(self) -> None:
        """Find out which queues the device works on as buffers come, instead of keeping them until something comes in."""
        device = self._device
        accepted = device.negotiated.accepted if device.negotiated else Features()
        count = device.transport.queue_count() if device.queues else 0
        self.answering = tuple(
            index
            for index in device.queues
            if (known := queue_name(device.identity.type, index, count, accepted)) is None or known.answered
        )

    # -- notifications -----------------------------------------------------------------------------------------

    def notified(self, about: str) -> bool:
        """Whether ISR shows one more request, which is left in the ring until then.

        A driver that takes what is used at once moves its used event along, and may then be owed nothing (2.7.10).
        """
        return self._ask("used", about, self._shows_in_isr)

    def interrupted(self, about: str) -> bool:
        """Whether the interrupt arrives for one more request; False where there is no line as well."""
        if not self._device.notifications.line.present:
            return False
        return self._ask("line", about, lambda ask: shows_on_the_line(self._device, ask, self._deadline.limit()))

    def try_interrupted(self, about: str) -> None:
        """As :meth:`interrupted`; what goes wrong is in the history."""
        try:
            self.interrupted(about)
        except DeviceGone:
            raise
        except DeviceError as error:
            self.note(about, error)

    def _shows_in_isr(self, ask: Callable[[], None]) -> bool:
        since = isr_count(self._device)
        ask()
        return shows_in_isr(self._device, since, self._deadline.limit())

    def _ask(self, what: str, about: str, shows: Callable[[Callable[[], None]], bool]) -> bool:
        workload = self.need()

        def ask() -> None:
            workload.submit(1)
            workload.kick()

        shown = False
        for _ in range(REQUESTS):
            shown = shows(ask)
            self.drain("one more request, for its notification")
            if shown:
                break
        self.heard(what, about, 1, shown, self._deadline.timeout)
        return shown

    def heard(self, what: str, about: str, expected: int, shown: bool, limit: float) -> None:
        """Put what came of a wait for a notification into the history."""
        self._history.add(Listened(self._history.now(), what, about, expected, shown, limit))

    def config_notified(self, since: int, about: str, timeout: float | None = None) -> bool:
        """Wait until ISR bit 1 was seen more than ``since`` times; False when that does not happen in time."""
        told = self._device.notifications

        def shown() -> bool:
            told.collect()
            return told.config > since

        limit = min(timeout or self._deadline.timeout, self._deadline.limit())
        came = bool(poll(shown, YES, self._device.clock, limit, sleep=told.wait, ceiling=0.05, spin=1).outcome)
        self.heard("config", about, 0, came, limit)
        return came

    # -- the host side -----------------------------------------------------------------------------------------

    def can(self, name: str) -> bool:
        """Whether the host side can be asked for this."""
        return self._triggers is not None and name in self._triggers.available()

    def ask_host(self, name: str, **arguments: object) -> None:
        """Ask the host side for something that :meth:`can` says it can do. Raises :class:`CannotRun` where it cannot."""
        assert self._triggers is not None, "somebody has said that it can be done"
        try:
            self._triggers.fire(name, **arguments)
        except CannotRun as error:
            self._history.add(Fired(self._history.now(), name, str(error)))
            raise
        self._history.add(Fired(self._history.now(), name, ""))

    def delay(self, seconds: float) -> bool:
        """Ask the host side to keep requests in process for so long, for this scenario; False where it cannot be asked."""
        if not self.can("delay"):
            return False
        self.ask_host("delay", seconds=seconds)
        self.cleanups.append(partial(self.ask_host, "delay", seconds=None))
        return True
