"""Stress (S1): suspends at random points of the workload. A failure is replayed, and its sequence made shorter."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from uvirtio.errors import DeviceError, DeviceGone, WorkloadFailed

from ..driving.notified import SETTLE, isr_count
from ..judging.outcomes import NotResumed, NotSuspended, Overdue, Refused
from ..judging.verdict import Finding, Verdict, failed, passed
from .bench import Bench
from .registry import check
from .same import bars

__all__ = ["Plan", "plans", "run_plans", "shorten"]

#: Cycles where the user asks for no number.
DEFAULT_CYCLES = 10
#: Replays that may be spent on making a failing sequence shorter.
REPLAYS = 12
MOMENTS = ("before the kick", "just after the kick", "long after the kick")
FILLS = {"empty": 0.0, "some": 0.25, "half": 0.5, "full": 1.0}


@dataclass(frozen=True, slots=True)
class Plan:
    """One cycle: when the suspend falls, how full the queues are, whether the driver wants notifications, times (s)."""

    moment: str
    fill: str
    suppressed: bool
    wait: float
    hold: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a sequence of plans failed, counted from 0, and how."""

    at: int
    what: str


class RefusedLater(Exception):
    """The device refused, which it may, after it had suspended before."""

    def __init__(self, number: int, refusal: Refused) -> None:
        super().__init__(str(refusal))
        self.number = number
        self.refusal = refusal


def plans(count: int, seed: int, hold: float) -> list[Plan]:
    """The first ``count`` cycles of the random sequence that ``seed`` starts; holds of at most ``hold`` s."""
    source = random.Random(seed)
    longest = min(hold, 0.02)
    return [
        Plan(
            source.choice(MOMENTS), source.choice(tuple(FILLS)), source.random() < 0.5,
            round(source.uniform(0, SETTLE), 6), round(source.uniform(0, longest), 6),
        )
        for _ in range(count)
    ]  # fmt: skip


def _cycle(bench: Bench, plan: Plan) -> None:
    workload, isr = bench.need_workload(), bench.device.notifications
    isr.collect()
    seen, completed = isr_count(bench.device), workload.completed
    for queue in bench.queues.values():
        queue.interrupts(not plan.suppressed)
    wanted = round(workload.room * FILLS[plan.fill])
    if plan.fill != "empty":
        workload.submit(max(1, wanted))
    if plan.moment != "before the kick":
        workload.kick()
    if plan.moment == "long after the kick":
        bench.sleep(plan.wait)
    bench.suspend(insist=True)
    bench.sleep(plan.hold)
    bench.resume()
    if not workload.outstanding:
        workload.submit(1)
        workload.kick()
    bench.drain("waiting for what was outstanding at the suspend")
    if plan.suppressed or bench.control is None or not bench.control.notified:
        return
    if not isr.collect() and isr_count(bench.device) == seen:
        bench.sleep(SETTLE)
        if not isr.collect() and not bench.notifies():
            raise WorkloadFailed(
                f"{workload.completed - completed} requests came back in this cycle, and ISR showed none of them"
            )


def run_plans(bench: Bench, sequence: Sequence[Plan]) -> Failure | None:
    """Run the cycles on a fresh device: the first failure, None when there was none. Raises :class:`DeviceGone`."""
    bench.start()
    placed = bars(bench.device)
    for number, plan in enumerate(sequence):
        try:
            _cycle(bench, plan)
        except DeviceGone:
            raise
        except Refused as refusal:
            if number == 0:
                raise
            raise RefusedLater(number, refusal) from refusal
        except (NotSuspended, NotResumed) as stuck:
            if number == 0:
                raise
            return Failure(number, str(stuck))
        except DeviceError as error:
            return Failure(number, str(error))
        if (now := bars(bench.device)) != placed:
            return Failure(number, f"the BARs changed over the suspend: {placed} -> {now}")
    return None


def shorten(bench: Bench, sequence: Sequence[Plan]) -> list[Plan] | None:
    """The shortest end of a failing sequence that still fails; None when replaying it does not fail again."""
    if run_plans(bench, sequence) is None:
        return None
    shortest, length = list(sequence), 1
    for _ in range(REPLAYS):
        if length >= len(shortest):
            break
        try:
            failure = run_plans(bench, shortest[-length:])
        except (NotSuspended, NotResumed, Refused, RefusedLater, Overdue):
            break
        if failure is not None:
            return shortest[len(shortest) - length :][: failure.at + 1]
        length *= 2
    return shortest


@check("S1")
def survives_stress(bench: Bench) -> Finding:
    """``--cycles`` suspends at random points from ``--seed``; everything comes back exactly once."""
    count = bench.cycles or DEFAULT_CYCLES
    # Each step has its own limit, and the first failure ends it: the whole may take as long as it takes.
    bench.more_time(count * 3 * bench.timeout)
    sequence = plans(count, bench.seed, bench.hold_time)
    bench.start()
    bench.need_workload()
    try:
        failure = run_plans(bench, sequence)
    except RefusedLater as later:
        return Finding(
            Verdict.WARN,
            f"after {later.number} good cycles of {count} (seed {bench.seed}) {later.refusal}",
            allowed=True,
        )
    if failure is None:
        workload = bench.need_workload()
        return passed(
            f"{count} suspends at random points (seed {bench.seed}), {workload.completed} requests: {workload.proves()}",
            cycles=count, seed=bench.seed, requests=workload.completed,
        )  # fmt: skip
    failing = sequence[: failure.at + 1]
    try:
        short = shorten(bench, failing)
    except (NotSuspended, NotResumed, Refused, RefusedLater, Overdue, DeviceError):
        short = None
    finding = failed(
        f"cycle {failure.at + 1} of {count} (seed {bench.seed})", "everything comes back exactly once, in every cycle",
        failure.what, seed=bench.seed, cycle=failure.at + 1, plan=asdict(failing[-1]),
    )  # fmt: skip
    if short is None:
        finding.remarks.append(f"replaying the {len(failing)} cycles did not fail again")
    else:
        finding.evidence["shortest"] = [asdict(plan) for plan in short]
        finding.remarks.append(f"the shortest sequence found that still fails has {len(short)} cycle(s): {short}")
    return finding
