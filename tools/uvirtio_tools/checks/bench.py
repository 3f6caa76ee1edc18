"""The bench that a check works on: a freshly initialised device, its traffic, the host's triggers, and the clock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from uvirtio.access.trace import Record, Recorder
from uvirtio.access.wait import poll
from uvirtio.bus import Triggers
from uvirtio.device import DONE, Device, Phase, status_table
from uvirtio.errors import CannotRun, DeviceError, DeviceGone, DeviceTimeout, DriverMisuse, UvirtioError
from uvirtio.spec.devices import queue_name
from uvirtio.spec.dialects import Dialect
from uvirtio.spec.features import Features
from uvirtio.spec.status import Status
from uvirtio.suspend import Outcome, Suspender, Transition
from uvirtio_drivers.workload import Driver, Workload

from ..notified import isr_count, shows_in_isr, shows_on_the_line
from .look import Look, WatchedQueue, take_look, watch
from .outcomes import Control, FailedAsleep, NotResumed, NotSuspended, NotWorking, Overdue, Refused, Window
from .verdict import Skip

if TYPE_CHECKING:
    from .same import Portrait

__all__ = ["SETTLE", "Bench"]

#: What a device and its interrupt path get to settle after "done", before the quiet period begins (s).
SETTLE = 0.005
#: A check ends after this many timeouts at the latest.
PATIENCE = 8
#: Suspends that may time out before no check tries again.
TRIES = 2
#: Requests whose notification may stay away before it is called lost.
REQUESTS = 3


class Bench:
    """Brings the device up for each check, and down again. All waits are bounded by ``timeout`` (s).

    ``hold``: seconds that a device is watched while suspended. ``workload`` is None where there is no driver.
    """

    def __init__(
        self,
        device: Device,
        dialect: Dialect,
        driver_class: type[Driver] | None,
        *,
        timeout: float = 10.0,
        hold: float = 0.2,
        without: Features | None = None,
        triggers: Triggers | None = None,
        cycles: int = 0,
        seed: int = 0,
        options: dict[str, object] | None = None,
        provoke: bool = True,
    ) -> None:
        assert device.recorder is not None, "a bench needs a device that records"
        self.device = device
        self.dialect = dialect
        self.driver_class = driver_class
        self.timeout = timeout
        self.hold_time = hold
        self.without = without or Features()
        self.triggers = triggers if triggers is not None else device.function.triggers
        self.cycles = cycles
        self.seed = seed
        #: Whether the device may be given a buffer at an address where no memory should be.
        self.provoke = provoke
        #: What the driver's workload is asked for.
        self.options = options or {}
        self.recorder: Recorder = device.recorder
        self.clock = device.clock
        self.suspender = Suspender(device, dialect, timeout)
        self.driver: Driver | None = None
        self.workload: Workload | None = None
        self.queues: dict[int, WatchedQueue] = {}
        self.control: Control | None = None
        self.transitions: list[Transition] = []
        #: The specified byte does not resume this device, 0x0f does.
        self.falls_back = False
        #: The device as it was before the run.
        self.portrait: Portrait | None = None
        #: All records of the run, check by check, for the judgement of the driver's own duties.
        self.history: list[Record] = []
        #: Checks in a row that found the device unable to do ordinary work.
        self.not_working = 0
        #: Statements that this check saw broken, its own or others: id -> what was seen.
        self.seen_broken: dict[str, str] = {}
        #: The look at the first "done" read, while the device is suspended.
        self._asleep: Look | None = None
        #: What a check has to undo on the host side.
        self.cleanups: list[Callable[[], None]] = []
        self._failures: dict[str, list[Transition]] = {"suspend": [], "resume": []}
        self._position = self.recorder.mark("bench")
        self._deadline = float("inf")

    # -- life --------------------------------------------------------------------------------------------------

    @property
    def wanted(self) -> Features:
        """What a check negotiates: the driver's features and the dialect's."""
        own = self.driver_class.FEATURES if self.driver_class else Features()
        return own | Features.of(self.dialect.feature)

    def begin_check(self) -> None:
        """The check's time starts."""
        self._deadline = self.clock.now() + PATIENCE * self.timeout + 20 * self.hold_time
        self._position = self.recorder.mark("check")
        self.seen_broken = {}

    def records(self) -> list[Record]:
        """What this check did so far."""
        return self.recorder.since(self._position)

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
            device.write_status(Status.ACKNOWLEDGE)
            device.write_status(device.written | Status.DRIVER)
            device.phase = Phase.ACKNOWLEDGED
            device.offered = device.transport.device_features()
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
        self.queues = watch(self.device)

    def go(self) -> None:
        """The driver starts, after DRIVER_OK."""
        if self.driver_class is not None:
            self.driver = self.driver_class(self.device)
            self.driver.start()
            self.workload = self.driver.workload(**self.options)

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
            if self.control is not None and not self.control.queue_bit and self.device.isr.queue:
                # It did show before: the driver was faster than the notification, or the device is late with it.
                self.sleep(self.hold_time)
                self.control = self.traffic()
        except DeviceGone:
            raise
        except DeviceError as error:
            raise NotWorking(f"the device does not do ordinary work: {error}") from error

    def traffic(self, doing: str = "traffic on the running device") -> Control:
        """Fill the queues, notify, and let everything come back; verified."""
        workload, isr = self.need_workload(), self.device.isr
        isr.collect()
        queue, config = isr.queue, isr.config
        workload.submit()
        workload.kick()
        completed = self.drain(doing)
        self.device.clock.sleep(SETTLE)
        isr.collect()
        seen = isr.queue > queue, isr.config > config
        return Control(completed, *seen, sticky=bool(isr.collect()))

    def drain(self, doing: str) -> int:
        """Let everything that is owed come back, and verify it. Raises a :class:`DeviceError`.

        The time limit is for each step: a slow device is not a dead one.
        """
        workload = self.need_workload()
        started = workload.completed
        while True:
            before = workload.completed

            def moved(before: int = before) -> bool:
                workload.reap()
                return workload.completed != before or not workload.outstanding

            waited = self.device.wait_for(moved, self.limit(), doing=doing)
            self.more_time(waited.seconds)  # only what is waited in vain uses the check's time up
            if not workload.outstanding:
                break
        workload.verify()
        return workload.completed - started

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
            self.device.isr.collect()

    def _wake(self) -> None:
        """A suspended device might not reset: it is resumed first, where it is known to resume."""
        status = self.device.transport.status()
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
            byte = (device.transport.status() | Status.DRIVER_OK) & ~clearing
            with device.deviating("D7", "waking a device that does not reset"):
                device.write_status(byte)
            if device.await_status(running, self.timeout).outcome == DONE:
                return

    def forget_workload(self) -> None:
        """Give the buffers of the last workload back: the device has been reset."""
        workload, self.workload = self.workload, None
        close = getattr(workload, "close", None)
        if close is not None:
            close()

    # -- time --------------------------------------------------------------------------------------------------

    def limit(self) -> float:
        """How long the next wait may last. Raises :class:`Overdue` when the check has used up its time."""
        left = self._deadline - self.clock.now()
        if left <= 0:
            raise Overdue(f"the check did not end within {PATIENCE} times {self.timeout:g} s")
        return min(self.timeout, left)

    def more_time(self, seconds: float) -> None:
        """This check may take so much longer."""
        self._deadline += seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.limit()
        self.clock.sleep(seconds)

    @property
    def moment(self) -> float:
        """A short while (s), for what only has to be given some time."""
        return min(self.hold_time, 0.05)

    @property
    def linger(self) -> float:
        """How long to look for a suspend that should not come (s): longer than any that was seen."""
        slowest = max((t.seconds for t in self.transitions if t.done and t.kind == "suspend"), default=0.0)
        return max(self.moment, 1.5 * slowest)

    def await_config_bit(self, since: int, timeout: float | None = None) -> bool:
        """Wait until ISR bit 1 was seen more than ``since`` times; False when that does not happen in time."""
        waiter = _IsrWait(self.device, lambda: self.device.isr.config > since)
        return bool(
            poll(waiter, 0, (0, 1), waiter, min(timeout or self.timeout, self.limit()), ceiling=0.05, spin=1).outcome
        )

    # -- traffic -----------------------------------------------------------------------------------------------

    def need_workload(self) -> Workload:
        """The traffic of this device. Raises :class:`Skip` where there is no driver for it."""
        if self.workload is None:
            raise Skip(f"no driver for device type {self.device.identity.type_name}, so nothing can be moved")
        return self.workload

    def need_queue_bit(self) -> None:
        """Raise :class:`Skip` unless ISR bit 0 alone was seen while running."""
        if self.control is not None and self.control.sticky:
            raise Skip("reading ISR does not clear it on this device (4.1.4.5), so what it shows may be old")
        if self.control is None or not self.control.queue_bit:
            raise Skip(
                "on the running device, traffic did not show as ISR bit 0 alone, so its absence would say nothing"
            )

    def answers(self, index: int) -> bool:
        """Whether the device works on what is put into this queue, instead of keeping it until something comes in."""
        device = self.device
        accepted = device.negotiated.accepted if device.negotiated else Features()
        known = queue_name(device.identity.type, index, device.transport.queue_count(), accepted)
        return known is None or known.answered

    def notifies(self) -> bool:
        """Whether ISR shows one more request, which is left in the ring until then.

        A driver that takes what is used at once moves its used event along, and may then be owed nothing (2.7.10).
        """
        return self._ask(lambda ask: self._shows_in_isr(ask))

    def interrupts(self) -> bool:
        """Whether the interrupt arrives for one more request; False where there is no line as well."""
        if not self.device.line.present:
            return False
        return self._ask(lambda ask: shows_on_the_line(self.device, ask, self.limit()))

    def _shows_in_isr(self, ask: Callable[[], None]) -> bool:
        since = isr_count(self.device)
        ask()
        return shows_in_isr(self.device, since, self.limit())

    def _ask(self, shows: Callable[[Callable[[], None]], bool]) -> bool:
        workload = self.need_workload()

        def ask() -> None:
            workload.submit(1)
            workload.kick()

        for _ in range(REQUESTS):
            shown = shows(ask)
            self.drain("one more request, for its notification")
            if shown:
                return True
        return False

    def load(self, *, kicked: bool = True, waiting: bool = True) -> int:
        """Requests in flight (notified), and buffers waiting (published, not notified); how many were notified."""
        workload = self.need_workload()
        room = workload.room
        # With room for one request only it is the one that waits, unless all are to be in flight.
        first = (room // 2 if waiting else room) if kicked else 0
        if first:
            first = workload.submit(first)
            workload.kick()
        if waiting and workload.room:
            workload.submit()
        return first

    def delay(self, seconds: float) -> bool:
        """Ask the host side to keep requests in process for so long, for this check; False where it cannot be asked."""
        if self.triggers is None or "delay" not in self.triggers.available():
            return False
        self.triggers.fire("delay", seconds=seconds)
        self.cleanups.append(partial(self.triggers.fire, "delay", seconds=None))
        return True

    # -- suspend and resume ------------------------------------------------------------------------------------

    def look(self, *, status: bool = False) -> Look:
        """One look at everything."""
        return take_look(self.device, self.queues, status=status)

    def suspend(self, *, insist: bool = False, kick: bool = False, prod: bool = False) -> Window:
        """Reap, look, write SUSPEND once, and watch. Raises :class:`Refused`, :class:`NotSuspended`, :class:`DeviceGone`.

        ``insist`` tries although earlier checks have waited in vain. ``kick`` notifies what was published between the
        look and the write, so that even a fast device has requests in flight at the write. ``prod`` notifies, in
        deliberate deviation, as soon as the device has shown itself suspended.
        """
        failures = self._failures["suspend"]
        if len(failures) >= TRIES and not insist:
            raise NotSuspended(failures[-1], self.timeout)
        before = self._last_look()
        self.suspender.timeout = self.limit()
        if kick and self.workload is not None:
            self.workload.kick()
        outstanding = self.workload.outstanding if self.workload is not None else 0
        self.suspender.begin_suspend()
        transition = self.suspender.await_suspended()
        done = self.look()
        if prod and transition.done:
            self.kick_asleep()
        self.transitions.append(transition)
        self._raise_for(transition)
        self._asleep = done
        self.clock.sleep(SETTLE)
        self.device.line_count()
        self.device.line.enable()
        return Window(before, transition, done, self.look(), outstanding, dict(self.suspender.queues_before))

    def _last_look(self) -> Look:
        """Reap and look until nothing is used in between, if that can be had: what is used later is notified then.

        With EVENT_IDX a device notifies once for what it uses behind the driver's back (2.7.10).
        """
        for _ in range(8):
            if self.workload is not None:
                self.workload.reap()
            before = take_look(self.device, self.queues, isr_first=True)
            if before.reaped:
                break
        return before

    def kick_asleep(self) -> list[int]:
        """Notify every queue that has buffers outstanding while the device is suspended (tagged); their indices."""
        with self.device.deviating("D4", "a kick while suspended must have no effect"):
            return self.suspender.kick_outstanding()

    def hold(self, seconds: float | None = None) -> Look:
        """Let the device be suspended for a while (s, by default the hold), and look again."""
        self.sleep(self.hold_time if seconds is None else seconds)
        look = self.look(status=True)
        self._note_moved(look.status or 0)
        return look

    def _note_moved(self, status: int) -> None:
        """Note a device that uses buffers while its status says that it is suspended, whatever is being checked (V4)."""
        if self._asleep is None or not self.dialect.is_suspended(status):
            return
        for index, queue in self.queues.items():
            used, now = self._asleep.used.get(index), queue._queue.state().device_index
            if used is not None and now != used:
                self.seen_broken.setdefault("V4", f"queue {index}: used index {used} -> {now} while suspended")

    def resume(self, *, kick: bool = True, fallback: bool = True) -> Transition:
        """Resume; where the specified byte does not do it, 0x0f, tagged.

        Raises :class:`Refused`, :class:`FailedAsleep` where it had failed before it was asked, :class:`NotResumed`.
        """
        suspender = self.suspender
        suspender.timeout = self.limit()
        status = self.device.transport.status()
        self._note_moved(status)
        self._asleep = None
        # What another byte does to a device that was not suspended any more says nothing about the specified one.
        fallback = fallback and (self.falls_back or self.dialect.is_suspended(status))
        if self.falls_back and fallback:
            self._write_fallback()
            transition = suspender.await_running()
        else:
            suspender.begin_resume()
            transition = suspender.await_running()
            if transition.outcome is Outcome.TIMED_OUT and self.dialect.fallback and fallback:
                self._write_fallback()
                transition = suspender.await_running()
                self.falls_back = transition.done
        self.transitions.append(transition)
        if transition.outcome is Outcome.REFUSED and status & Status.DEVICE_NEEDS_RESET:
            raise FailedAsleep(transition)
        self._raise_for(transition)
        if kick:
            suspender.kick_outstanding()
        return transition

    def _write_fallback(self) -> None:
        with self.device.deviating("D7", "DRIVER_OK alone does not resume this device; clearing SUSPEND"):
            self.device.write_status((self.device.written | Status.DRIVER_OK) & ~Status.SUSPEND)

    def _raise_for(self, transition: Transition) -> None:
        if transition.done:
            self.more_time(transition.seconds)
            return
        if transition.outcome is Outcome.GONE:
            raise DeviceGone(f"the device went away during {transition.kind}: status reads 0xff")
        if transition.outcome is Outcome.REFUSED:
            raise Refused(transition)
        self._failures[transition.kind].append(transition)
        raise (NotSuspended if transition.kind == "suspend" else NotResumed)(transition, self.suspender.timeout)

    def move_data(self, doing: str) -> tuple[str, Control | None]:
        """Fresh traffic: what is wrong with it (empty when it works), and what it showed."""
        try:
            return "", self.traffic(doing)
        except DeviceGone:
            raise
        except (DeviceError, DriverMisuse) as error:
            return str(error), None


class _IsrWait:
    """What a wait for ISR polls, and the clock that sleeps on the interrupt line."""

    def __init__(self, device: Device, done: Callable[[], bool]) -> None:
        self._device = device
        self._done = done
        self.simulated = device.clock.simulated
        self.now = device.clock.now

    def __getitem__(self, _index: int) -> int:
        self._device.isr.collect()
        return 1 if self._done() else 0

    def sleep(self, seconds: float) -> None:
        self._device.isr.wait(seconds)
