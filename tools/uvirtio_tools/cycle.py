"""One suspend/resume cycle under a workload, watched from the rings, ISR and the interrupt, and judged.

The order of observation matters: an interrupt that was raised before the device presented "suspended" may be
delivered after it. So everything is read at the first "done" read, left to settle, and read again after the hold;
the difference between those two is what the device did while it was suspended.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from uvirtio.device import Device
from uvirtio.errors import DeviceError, UvirtioError
from uvirtio.spec.dialects import CHROMIUM, V1_4
from uvirtio.suspend import Suspender, Transition
from uvirtio_drivers.workload import Workload, drain

__all__ = ["Cycle", "Observation", "observe", "run_cycle"]

#: What a device and its interrupt path get to settle after "done", before the quiet period begins (s).
SETTLE = 0.005


@dataclass(frozen=True, slots=True)
class Observation:
    """What can be seen of a device without asking it anything: used indices, ring memory, ISR so far, interrupts."""

    used: dict[int, int]
    rings: str
    isr_queue: int
    isr_config: int
    interrupts: int


def observe(device: Device) -> Observation:
    """Look at rings (in memory), collect ISR once, and read the interrupt count."""
    used = {index: queue.state().device_index for index, queue in device.queues.items()}
    digest = hashlib.sha256(b"".join(queue.ring_bytes() for queue in device.queues.values()))
    device.isr.collect()
    return Observation(used, digest.hexdigest()[:16], device.isr.queue, device.isr.config, device.line_count())


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


def run_cycle(device: Device, workload: Workload | None, suspender: Suspender, *, number: int, hold: float) -> Cycle:
    """Fill the queues, suspend in the middle of it, hold, resume, and let everything come back.

    Raises nothing that the device causes: whatever goes wrong is the cycle's FAIL.
    """
    cycle = Cycle(number)
    try:
        _run(device, workload, suspender, cycle, hold)
    except DeviceError as error:
        cycle.suspend = cycle.suspend or suspender.last
        if cycle.suspend is not suspender.last and suspender.last is not None and suspender.last.kind == "resume":
            cycle.resume = suspender.last
        cycle.fail(str(error))
    return cycle


def _run(device: Device, workload: Workload | None, suspender: Suspender, cycle: Cycle, hold: float) -> None:
    completed_before = workload.completed if workload else 0
    if workload is not None:
        workload.submit()
        workload.kick()
        cycle.in_flight = workload.outstanding
    suspender.last = None
    cycle.suspend = suspender.suspend()
    cycle.remarks += cycle.suspend.remarks
    at_done = observe(device)
    device.clock.sleep(SETTLE)
    device.line_count()
    settled = observe(device)
    device.line.enable()
    device.clock.sleep(hold)
    after = observe(device)
    _judge_quiet(cycle, suspender, at_done, settled, after)
    if workload is not None:
        before_reap = workload.completed
        workload.reap()
        cycle.finished_before = workload.completed - before_reap
        cycle.left_waiting = workload.outstanding
        if not cycle.in_flight:
            cycle.remarks.append("nothing was in flight: the device answers within the notification")
    cycle.resume = suspender.resume()
    cycle.remarks += cycle.resume.remarks
    if len(cycle.resume.written) > 1:
        cycle.fail(cycle.resume.remarks[-1])
    if workload is None:
        return
    if not workload.outstanding:
        # All finished before: prove that the device moves data after resume as well.
        workload.submit()
        workload.kick()
    drain(device, workload, doing="waiting for the buffers that were in flight after resume")
    workload.verify()
    cycle.completed = workload.completed - completed_before
    _judge_line(device, cycle)


def _judge_quiet(
    cycle: Cycle, suspender: Suspender, at_done: Observation, settled: Observation, after: Observation
) -> None:
    """Whether the device was quiet from "suspended" to the resume."""
    moved = [index for index in at_done.used if at_done.used[index] != after.used[index]]
    if moved:
        text = "; ".join(f"queue {i}: used index {at_done.used[i]} -> {after.used[i]}" for i in moved)
        text = f"the device used buffers while it said that it was suspended ({text})"
    elif at_done.rings != after.rings:
        text = "the device changed ring memory while it said that it was suspended"
    else:
        text = ""
    if text and suspender.dialect is V1_4:
        cycle.fail(f"{text}; virtio 1.4, 3.4.2 forbids that")
    elif text:
        cycle.remarks.append(f"{text}; the {suspender.dialect.name} dialect does not forbid that")
    if after.isr_queue != settled.isr_queue and suspender.dialect is not CHROMIUM:
        cycle.fail(
            "the device raised a used buffer notification (ISR bit 0) while suspended; virtio 1.4, 3.4.2 forbids that"
        )
    if after.isr_config != settled.isr_config:
        # The host side may have changed something; whether it may say so now is for the checks to judge.
        cycle.remarks.append("ISR bit 1: a configuration change was notified while suspended")
    if after.interrupts != settled.interrupts and suspender.dialect is CHROMIUM:
        cycle.fail("an interrupt was delivered while suspended; the Chromium dialect holds interrupts back")


def _judge_line(device: Device, cycle: Cycle) -> None:
    try:
        device.isr.collect()
        device.check_alive("ending the cycle")
    except UvirtioError as error:
        cycle.fail(str(error))
