"""Suspending and resuming the device that is judged, with a look before and after."""

from __future__ import annotations

from uvirtio.errors import DeviceGone
from uvirtio.spec.status import GONE, Status
from uvirtio.suspend import Outcome, Transition

from ..driving.notified import SETTLE
from ..judging.looks import Look, take_look
from ..judging.outcomes import FailedAsleep, NotResumed, NotSuspended, Refused, Window
from .traffic import TrafficStage

__all__ = ["TRIES", "SuspendStage"]

#: Suspends, and resumes, that may time out before no check tries again.
TRIES = 2


class SuspendStage(TrafficStage):
    """Puts the device to sleep, watches it, and wakes it up."""

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
        self.device.notifications.interrupts()
        self.device.notifications.line.enable()
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
            used, now = self._asleep.used.get(index), queue.state().device_index
            if used is not None and now != used:
                self.seen_broken.setdefault("V4", f"queue {index}: used index {used} -> {now} while suspended")

    def resume(self, *, kick: bool = True, fallback: bool = True) -> Transition:
        """Resume; where the specified byte does not do it, 0x0f, tagged.

        Raises :class:`Refused`, :class:`FailedAsleep` where it had failed before it was asked, :class:`NotResumed`.
        """
        suspender = self.suspender
        suspender.timeout = self.limit()
        status = self.device.status.read()
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
        if transition.outcome is Outcome.REFUSED and status & Status.DEVICE_NEEDS_RESET and status != GONE:
            raise FailedAsleep(transition)
        self._raise_for(transition)
        if kick:
            suspender.kick_outstanding()
        return transition

    def _write_fallback(self) -> None:
        with self.device.deviating("D7", "DRIVER_OK alone does not resume this device; clearing SUSPEND"):
            self.device.status.write((self.device.status.written | Status.DRIVER_OK) & ~Status.SUSPEND)

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
