"""One suspend/resume cycle under a workload, watched from the rings, ISR and the interrupt, and judged.

The order of observation matters: an interrupt that was raised before the device presented "suspended" may be
delivered after it. So everything is read at the first "done" read, left to settle, and read again after the hold;
the difference between those two is what the device did while it was suspended.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from uvirtio.device import Device
from uvirtio.errors import DeviceError
from uvirtio.spec.dialects import CHROMIUM, V1_4
from uvirtio.spec.status import GONE, Status, describe
from uvirtio.suspend import Suspender, Transition
from uvirtio_drivers.workload import Workload, drain

from .driving.notified import NOTIFICATION_TIME, SETTLE, isr_count, shows_in_isr, shows_on_the_line
from .judging.looks import Look, changed, take_look, watched

__all__ = ["Cycle", "CycleRunner", "run_cycle"]

#: Requests that are asked for an interrupt before there is none, and reads of ISR until it has to be clear.
TRIES = 3


def run_cycle(device: Device, workload: Workload | None, suspender: Suspender, *, number: int, hold: float) -> Cycle:
    """One cycle by itself; see :meth:`CycleRunner.run`."""
    return CycleRunner(device, workload, suspender, hold=hold).run(number)


@dataclass(slots=True)
class Cycle:
    """The result of one cycle. ``verdict``: PASS or FAIL, with ``reasons`` for a FAIL and ``remarks`` otherwise."""

    number: int
    in_flight: int = 0
    finished_before: int = 0
    left_waiting: int = 0
    completed: int = 0
    suspend: Transition | None = None
    resume: Transition | None = None
    verdict: str = "PASS"
    reasons: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def fail(self, reason: str) -> None:
        """Make it a FAIL."""
        self.verdict = "FAIL"
        self.reasons.append(reason)

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return {
            "cycle": self.number,
            "verdict": self.verdict,
            "reasons": self.reasons,
            "remarks": self.remarks,
            "in_flight_at_suspend": self.in_flight,
            "finished_before_suspended": self.finished_before,
            "left_waiting_while_suspended": self.left_waiting,
            "completed": self.completed,
            "suspend": self.suspend.to_json() if self.suspend else None,
            "resume": self.resume.to_json() if self.resume else None,
        }


class CycleRunner:
    """Runs cycles on a running device, held suspended for ``hold`` seconds each.

    Buffers are watched as well as rings where the device records.
    """

    def __init__(self, device: Device, workload: Workload | None, suspender: Suspender, *, hold: float) -> None:
        self.device = device
        self.workload = workload
        self.suspender = suspender
        self.hold = hold
        #: Positive controls for what has to come after resume: requests before the first suspend raised ISR, and their
        #: interrupt arrived.
        self.isr_works = False
        self.line_works = False
        #: Reading ISR takes its bits back, as 4.1.4.5 demands; where it does not, a bit says nothing about when it was set.
        self.isr_clears = True

    def warm_up(self) -> int:
        """Requests before the first suspend: how many completed. A device that does not work cannot be judged."""
        if self.workload is None:
            return 0
        seen = isr_count(self.device)
        self.workload.submit()
        self.workload.kick()
        self.isr_works = shows_in_isr(self.device, seen, self.device.timeout)
        completed = drain(self.device, self.workload, doing="the first requests, before any suspend")
        self.workload.verify()
        self.device.clock.sleep(SETTLE)
        self.isr_clears = not all(self.device.notifications.collect() for _ in range(TRIES))
        self.isr_works = self.isr_works and self.isr_clears
        self.line_works = self.isr_works and self.device.notifications.line.present and self._interrupts()
        return completed

    def run(self, number: int) -> Cycle:
        """Fill the queues, suspend in the middle of it, hold, resume, and let everything come back.

        Raises nothing that the device causes: whatever goes wrong is the cycle's FAIL.
        """
        cycle = Cycle(number)
        self.suspender.last = None
        try:
            self._run(cycle)
        except DeviceError as error:
            last = self.suspender.last
            if last is not None and last.kind == "suspend":
                cycle.suspend = last
            elif last is not None:
                cycle.resume = last
            cycle.fail(str(error))
        return cycle

    def _run(self, cycle: Cycle) -> None:
        device, workload = self.device, self.workload
        completed_before = workload.completed if workload else 0
        device.notifications.collect()
        seen_before = isr_count(device)
        if workload is not None:
            workload.submit()
            workload.kick()
            # What the device answers within the notification is not in flight.
            workload.reap()
            cycle.in_flight = workload.outstanding
        cycle.suspend = self.suspender.suspend()
        cycle.remarks += cycle.suspend.remarks
        self._hold(cycle)
        if workload is not None:
            before_reap = workload.completed
            workload.reap()
            cycle.finished_before = workload.completed - before_reap
            cycle.left_waiting = workload.outstanding
            if not cycle.in_flight:
                cycle.remarks.append("nothing was in flight: the device answers within the notification")
        seen = isr_count(device)
        cycle.resume = self.suspender.resume()
        cycle.remarks += cycle.resume.remarks
        if len(cycle.resume.written) > 1:
            cycle.fail(cycle.resume.remarks[-1])
        if workload is None:
            return
        lost = False
        if not workload.outstanding:
            # All finished before. What was held back meanwhile has to come now; then, show that data moves again.
            if self.isr_works and cycle.finished_before and not shows_in_isr(device, seen_before, NOTIFICATION_TIME):
                lost = True
                cycle.fail(
                    "buffers were used, and notified neither before the device showed itself suspended nor after its "
                    "resume (ISR stayed 0): interrupts are lost (virtio 1.4, 2.7.7.2)"
                )
            seen = isr_count(device)
            workload.submit()
            workload.kick()
        notified = not self.isr_works or shows_in_isr(device, seen, self.suspender.timeout)
        drain(device, workload, doing="waiting for the buffers that were outstanding at the suspend")
        workload.verify()
        cycle.completed = workload.completed - completed_before
        if not notified and not lost:
            cycle.fail(
                "buffers came back after the resume without a used buffer notification (ISR stayed 0), although they "
                "were notified before the first suspend: interrupts are lost (virtio 1.4, 2.7.7.2)"
            )
        elif self.line_works and not self._interrupts():
            cycle.fail(
                "after the resume ISR shows used buffers, but no interrupt arrives for them any more, although one did "
                f"before the first suspend ({device.notifications.line.description}): interrupts are lost (virtio 1.4, 4.1.5.3)"
            )
        device.status.check_alive("ending the cycle")

    def _interrupts(self) -> bool:
        """Whether the interrupt arrives for a request; asked again before a no is believed."""
        device, workload = self.device, self.workload
        assert workload is not None

        def ask() -> None:
            workload.submit(1)
            workload.kick()

        for _ in range(TRIES):
            arrived = shows_on_the_line(device, ask, self.suspender.timeout)
            drain(device, workload, doing="one more request, for its interrupt")
            workload.verify()
            if arrived:
                return True
        return False

    def _hold(self, cycle: Cycle) -> None:
        """Watch the device while it is suspended, and judge what it does."""
        device, isr = self.device, self.device.notifications
        all_ones = isr.all_ones
        at_done = take_look(device, watched(device))
        device.clock.sleep(SETTLE)
        # The look at "done" has cleared what was set in ISR before, so what shows later was set later; unless it read
        # all-ones, as some devices answer on their way to sleep: then it cleared nothing, and the next one counts.
        since = at_done if isr.all_ones == all_ones else None
        all_ones = isr.all_ones
        settled = take_look(device, watched(device))
        if since is None and isr.all_ones == all_ones:
            since = settled
        device.notifications.line.enable()
        device.clock.sleep(self.hold)
        after = take_look(device, watched(device), status=True)
        self._judge_status(cycle, after)
        self._judge_memory(cycle, at_done, after)
        if since is not None and self.isr_clears:
            self._judge_notifications(cycle, since, after)
        if after.interrupts != settled.interrupts and self.suspender.dialect is CHROMIUM:
            cycle.remarks.append(
                "an interrupt was delivered while suspended; the Chromium dialect holds interrupts back"
            )

    def _judge_status(self, cycle: Cycle, after: Look) -> None:
        status = after.status
        if status is None or (status == GONE and not self.device.status.absent()):
            return
        if status == GONE or status & Status.DEVICE_NEEDS_RESET:
            self.device.status.check_alive("holding the device suspended")
        if not self.suspender.dialect.is_suspended(status):
            cycle.fail(f"the device did not stay suspended: after {self.hold:g} s its status is {describe(status)}")

    def _judge_memory(self, cycle: Cycle, at_done: Look, after: Look) -> None:
        moved = [index for index in at_done.used if at_done.used[index] != after.used[index]]
        if moved:
            text = "; ".join(f"queue {i}: used index {at_done.used[i]} -> {after.used[i]}" for i in moved)
            text = f"the device used buffers while it said that it was suspended ({text})"
        elif names := changed(at_done, after):
            text = f"the device wrote to memory while it said that it was suspended ({', '.join(names[:4])})"
        else:
            return
        if self.suspender.dialect is V1_4:
            cycle.fail(f"{text}; virtio 1.4, 3.4.2 forbids that")
        else:
            cycle.remarks.append(f"{text}; the {self.suspender.dialect.name} dialect does not forbid that")

    def _judge_notifications(self, cycle: Cycle, since: Look, after: Look) -> None:
        # The configuration bit is seen with the queue bit where a device sets both at once, whatever it has to tell.
        told = {
            "a used buffer notification (ISR bit 0)": after.queue_bits != since.queue_bits,
            "a configuration change notification (ISR bit 1)": after.config_bits != since.config_bits,
        }
        dialect = self.suspender.dialect
        for what in (what for what, seen in told.items() if seen):
            text = f"the device raised {what} while suspended"
            if dialect is V1_4:
                cycle.fail(f"{text}; virtio 1.4, 3.4.2 forbids that")
            elif dialect is CHROMIUM:
                cycle.fail(f"{text}; the Chromium dialect holds interrupts back until resume")
            else:
                cycle.remarks.append(f"{text}; the {dialect.name} dialect does not forbid that")
