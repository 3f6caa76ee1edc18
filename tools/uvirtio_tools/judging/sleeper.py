"""Suspending and resuming the device that is judged, with a look before and after; and waking it, whatever it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from uvirtio.device import Device
from uvirtio.errors import DeviceGone, DeviceTimeout, UvirtioError
from uvirtio.queue.observed import Observed
from uvirtio.spec.dialects import Dialect
from uvirtio.spec.status import GONE, Status
from uvirtio.status import DONE, Phase, status_table
from uvirtio.suspend import Outcome, Suspender, Transition

from ..driving.notified import SETTLE
from .deadline import Deadline
from .ends import FailedAsleep, NotResumed, NotSuspended, Refused, Skip
from .events import Looked, Prodded, Transitioned
from .history import History
from .looks import Look, take_look, watched
from .traffic import TrafficSource

__all__ = ["Sleeper"]

#: Suspends, and resumes, that may time out before nothing is tried again.
TRIES = 2
#: Looks at a device that is slow to resume; the time between them doubles.
LOOKS = 12


class Sleeper:
    """Puts a device to sleep, watches it, and wakes it up. It speaks no verdict: everything is in the history.

    ``transitions``: all of the run. ``falls_back``: the specified byte does not resume this device, 0x0f does.
    """

    def __init__(
        self,
        device: Device,
        dialect: Dialect,
        traffic: TrafficSource,
        history: History,
        deadline: Deadline,
        hold: float,
    ) -> None:
        self._device = device
        self.dialect = dialect
        self._traffic = traffic
        self._history = history
        self._deadline = deadline
        self._hold = hold
        self.suspender = Suspender(device, dialect, deadline.timeout)
        self.transitions: list[Transition] = []
        self.falls_back = False
        self._looks_left = 0
        self._in_vain: dict[str, list[Transition]] = {"suspend": [], "resume": []}

    # -- times -------------------------------------------------------------------------------------------------

    @property
    def moment(self) -> float:
        """A short while (s), for what only has to be given some time."""
        return min(self._hold, 0.05)

    @property
    def linger(self) -> float:
        """How long to look for a suspend that should not come (s): longer than any that was seen."""
        slowest = max((t.seconds for t in self.transitions if t.done and t.kind == "suspend"), default=0.0)
        return max(self.moment, 1.5 * slowest)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._deadline.limit()
        self._device.clock.sleep(seconds)

    # -- looks -------------------------------------------------------------------------------------------------

    def watched_queues(self) -> dict[int, Observed]:
        """The queues that looks are taken at; to look at them still once a reset has taken them from the device."""
        return watched(self._device)

    def look(
        self, name: str, *, status: bool = False, isr_first: bool = False, queues: Mapping[int, Observed] | None = None
    ) -> Look:
        """One look at everything, into the history."""
        queues = self.watched_queues() if queues is None else queues
        look = take_look(self._device, queues, status=status, isr_first=isr_first)
        self._history.note_strays(self._device)
        self._history.add(Looked(self._history.now(), name, look))
        return look

    def hold(self, seconds: float | None = None, name: str = "held") -> Look:
        """Let the device be suspended for a while (s, by default the hold), and look again."""
        self.sleep(self._hold if seconds is None else seconds)
        return self.look(name, status=True)

    # -- suspend -----------------------------------------------------------------------------------------------

    def suspend(
        self,
        *,
        insist: bool = False,
        kick: bool = False,
        prod: bool = False,
        meanwhile: Callable[[], None] | None = None,
    ) -> Transition:
        """Reap, look, write SUSPEND once, and watch. Raises :class:`Refused`, :class:`NotSuspended`, :class:`DeviceGone`.

        ``insist`` tries although earlier scenarios have waited in vain. ``kick`` notifies what was published between the
        look and the write, so that even a fast device has requests in flight at the write. ``prod`` notifies, in
        deliberate deviation, as soon as the device has shown itself suspended. ``meanwhile`` is called right after the write.
        """
        in_vain = self._in_vain["suspend"]
        if len(in_vain) >= TRIES and not insist:
            raise NotSuspended(in_vain[-1], self._deadline.timeout)
        workload = self._traffic.workload
        self._last_look()
        self.suspender.timeout = self._deadline.limit()
        if kick and workload is not None:
            workload.kick()
        owed = workload.outstanding if workload is not None else 0
        self.suspender.begin_suspend()
        if meanwhile is not None:
            meanwhile()
        transition = self.suspender.await_suspended()
        states = dict(self.suspender.queues_before)
        self._history.add(Transitioned(self._history.now(), transition, owed, states, self._traffic.answering))
        self.look("done")
        if prod and transition.done:
            self.prod(soon=True)
        self.transitions.append(transition)
        self._raise_for(transition)
        self._device.clock.sleep(SETTLE)
        self._device.notifications.interrupts()
        self._device.notifications.line.enable()
        self.look("settled")
        return transition

    def _last_look(self) -> None:
        """Reap and look until nothing is used in between, if that can be had: what is used later is notified then.

        With EVENT_IDX a device notifies once for what it uses behind the driver's back (2.7.10).
        """
        for _ in range(8):
            if self._traffic.workload is not None:
                self._traffic.workload.reap()
            if self.look("before", isr_first=True).reaped:
                break

    def prod(self, *, soon: bool = False) -> None:
        """Notify every queue that has buffers outstanding while the device is suspended, in deliberate deviation (D4)."""
        with self._device.deviating("D4", "a kick while suspended must have no effect"):
            queues = self.suspender.kick_outstanding()
        self._history.add(Prodded(self._history.now(), tuple(queues), soon))

    # -- resume ------------------------------------------------------------------------------------------------

    def resume(self, *, kick: bool = True, fallback: bool = True) -> Transition:
        """Resume; where the specified byte does not do it, 0x0f, tagged.

        Raises :class:`Refused`, :class:`FailedAsleep` where it had failed before it was asked, :class:`NotResumed`.
        """
        suspender = self.suspender
        suspender.timeout = self._deadline.limit()
        status = self.look("last", status=True).status
        assert status is not None, "it was asked for"
        # What another byte does to a device that was not suspended any more says nothing about the specified one.
        fallback = fallback and (self.falls_back or self.dialect.is_suspended(status))
        if self.falls_back and fallback:
            transition = self._fall_back()
        else:
            suspender.begin_resume()
            self._looks_left = LOOKS
            transition = suspender.await_running(self._look_while_waking)
            self._note(transition)
            if transition.outcome is Outcome.TIMED_OUT and self.dialect.fallback and fallback:
                transition = self._fall_back()
                self.falls_back = transition.done
        self.transitions.append(transition)
        if transition.outcome is Outcome.REFUSED and status & Status.DEVICE_NEEDS_RESET and status != GONE:
            raise FailedAsleep(transition)
        self._raise_for(transition)
        if kick:
            suspender.kick_outstanding()
        return transition

    def _look_while_waking(self, seconds: float) -> None:
        """Between the write and "running" a device is suspended still, as the status at the end of a look shows."""
        if self._looks_left:
            self._looks_left -= 1
            self.look("waking", status=True)
        self._device.clock.sleep(seconds)

    def _note(self, transition: Transition) -> None:
        self._history.add(Transitioned(self._history.now(), transition, 0, {}, ()))

    def _fall_back(self) -> Transition:
        with self._device.deviating("D7", "DRIVER_OK alone does not resume this device; clearing SUSPEND"):
            self._device.status.write((self._device.status.written | Status.DRIVER_OK) & ~Status.SUSPEND)
        transition = self.suspender.await_running()
        self._note(transition)
        return transition

    def _raise_for(self, transition: Transition) -> None:
        if transition.done:
            self._deadline.more(transition.seconds)
            return
        if transition.outcome is Outcome.GONE:
            raise DeviceGone(f"the device went away during {transition.kind}: status reads 0xff")
        if transition.outcome is Outcome.REFUSED:
            raise Refused(transition)
        self._in_vain[transition.kind].append(transition)
        raise (NotSuspended if transition.kind == "suspend" else NotResumed)(transition, self.suspender.timeout)

    # -- whatever it takes -------------------------------------------------------------------------------------

    def wake(self) -> None:
        """A suspended device might not reset: it is resumed first, where it is known to resume."""
        if self._device.phase is not Phase.SUSPENDED:
            return
        status = self._device.status.read()
        suspended = self.dialect.is_suspended(status) and not status & Status.DEVICE_NEEDS_RESET
        if suspended and len(self._in_vain["resume"]) < TRIES:
            try:
                self.resume(kick=False)
            except (Skip, UvirtioError):
                return

    def reset(self) -> None:
        """Reset the device. Raises a :class:`DeviceError` when that is impossible."""
        timeout = self._deadline.timeout
        try:
            self._device.reset(timeout)
        except DeviceTimeout:
            # Some devices ignore a reset while they are suspended or on their way there.
            self._revive(timeout)
            self._device.reset(timeout)

    def _revive(self, timeout: float) -> None:
        """Resume a device that does not reset: by DRIVER_OK, then by clearing SUSPEND as well."""
        device = self._device
        running = status_table(self.dialect.is_running)
        for clearing in (0, int(Status.SUSPEND)):
            byte = (device.status.read() | Status.DRIVER_OK) & ~clearing
            with device.deviating("D7", "waking a device that does not reset"):
                device.status.write(byte)
            if device.status.await_(running, timeout).outcome == DONE:
                return
