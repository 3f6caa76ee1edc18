"""Stress: suspends at random points of the workload. A failure is replayed, and its sequence made shorter."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import NamedTuple

from uvirtio.errors import DeviceError, DeviceGone, WorkloadFailed

from ..driving.notified import SETTLE, isr_count
from ..judging import names
from ..judging.deadline import Overdue
from ..judging.ends import NotResumed, NotSuspended, Refused
from ..judging.stage import Stage
from . import STRESS, scenario
from .identity import bars

__all__ = ["DEFAULT_CYCLES", "FILLS", "MOMENTS", "Plan", "plans"]

#: Cycles where the user asks for no number.
DEFAULT_CYCLES = 10
#: Seconds that those may take, and how many there are at least.
AFFORDABLE = 10.0
FEWEST_CYCLES = 3
#: From so many cycles on the 16-bit indices of a split ring are made to run over.
LONG = 1000
_INDICES = 1 << 16
#: Replays that may be spent on making a failing sequence shorter.
REPLAYS = 12
MOMENTS = ("before the kick", "just after the kick", "long after the kick")
FILLS = {"empty": 0.0, "some": 0.25, "half": 0.5, "full": 1.0}


class Plan(NamedTuple):
    """One cycle: when the suspend falls, how full the queues are, whether the driver wants notifications, times (s)."""

    moment: str
    fill: str
    suppressed: bool
    wait: float
    hold: float

    def __str__(self) -> str:
        wanted = "notifications suppressed" if self.suppressed else "notifications wanted"
        return f"{self.moment}, queues {self.fill}, {wanted}, {self.wait:g} s before the suspend, {self.hold:g} s held"


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


class _Failure(NamedTuple):
    """Where a sequence of plans failed, counted from 0, and how."""

    at: int
    error: Exception


def _cycle(stage: Stage, plan: Plan) -> None:
    """One cycle. Raises what goes wrong."""
    sleeper, traffic, device = stage.sleeper, stage.traffic, stage.device
    workload, told = traffic.need(), stage.device.notifications
    told.collect()
    seen, completed = isr_count(device), workload.completed
    for queue in device.queues.values():
        queue.interrupts(not plan.suppressed)
    wanted = round(workload.room * FILLS[plan.fill])
    if plan.fill != "empty":
        workload.submit(max(1, wanted))
    if plan.moment != "before the kick":
        workload.kick()
    if plan.moment == "long after the kick":
        sleeper.sleep(plan.wait)
    sleeper.suspend(insist=True)
    sleeper.sleep(plan.hold)
    sleeper.resume()
    if not workload.outstanding:
        workload.submit(1)
        workload.kick()
    traffic.drain(names.OUTSTANDING)
    if plan.suppressed or traffic.control is None or not traffic.control.notified:
        return
    if not told.collect() and isr_count(device) == seen:
        sleeper.sleep(SETTLE)
        if not told.collect() and not traffic.notified("a request after the stress"):
            raise WorkloadFailed(
                f"{workload.completed - completed} requests came back in this cycle, and ISR showed none of them"
            )


def _run(stage: Stage, sequence: Sequence[Plan]) -> _Failure | None:
    """Run the cycles on a fresh device: the first failure, None when there was none. Raises :class:`DeviceGone`.

    Raises :class:`Refused` and others where that happens in the first cycle, which says nothing about stress.
    """
    stage.start()
    stage.traffic.need()
    placed = bars(stage.device)
    if len(sequence) >= LONG:
        _near_the_wrap(stage)
    for number, plan in enumerate(sequence):
        if number:
            stage.history.go_on()
        stage.read(names.PLAN, json.dumps(plan._asdict()))
        try:
            _cycle(stage, plan)
            if (now := bars(stage.device)) != placed:
                raise WorkloadFailed(f"the BARs changed over the suspend: {placed} -> {now}")
        except DeviceGone:
            raise
        except (Refused, NotSuspended, NotResumed) as end:
            if number == 0:
                raise
            return _Failure(number, end)
        except DeviceError as error:
            return _Failure(number, error)
    return None


def _affordable(stage: Stage) -> int:
    """Cycles where the user asks for no number: fewer on a device that takes its time, and then this is said."""
    seconds = [transition.seconds for transition in stage.sleeper.transitions if transition.done]
    cost = 2 * sorted(seconds)[len(seconds) // 2] if seconds else 0.0
    if cost * DEFAULT_CYCLES <= AFFORDABLE:
        return DEFAULT_CYCLES
    count = max(FEWEST_CYCLES, int(AFFORDABLE / cost))
    stage.bring_up.remarks.append(
        f"the stress has {count} cycles instead of {DEFAULT_CYCLES}: a suspend with its resume takes {cost:.1f} s here "
        "(--cycles asks for more)"
    )
    return count


def _near_the_wrap(stage: Stage) -> None:
    """Requests until the indices of a split ring are about to run over from 65535 to 0, so that the suspends meet that."""
    traffic = stage.traffic
    workload = traffic.need()
    queue = max(stage.device.queues.values(), key=lambda queue: queue.state().driver_index)
    if queue.state().format != "split":
        return  # the positions of a packed ring have run over many times
    while queue.state().driver_index < _INDICES - 4 * queue.size:
        before = queue.state().driver_index
        workload.submit()
        workload.kick()
        traffic.drain(names.LAP)
        stage.history.go_on()
        if queue.state().driver_index == before:
            return  # this queue is not the one that the workload fills


def _shorten(stage: Stage, sequence: Sequence[Plan]) -> list[Plan] | None:
    """The shortest end of a failing sequence that still fails; None when replaying it does not fail again."""
    if _run(stage, sequence) is None:
        return None
    shortest, length = list(sequence), 1
    for _ in range(REPLAYS):
        if length >= len(shortest):
            break
        try:
            failure = _run(stage, shortest[-length:])
        except (NotSuspended, NotResumed, Refused, Overdue):
            break
        if failure is not None and isinstance(failure.error, Refused):
            break
        if failure is not None:
            return shortest[len(shortest) - length :][: failure.at + 1]
        length *= 2
    return shortest


@scenario(names.STRESS, "S1", order=STRESS)
def stress(stage: Stage) -> None:
    """``cycles`` suspends at random points from ``seed``, each in a window of its own."""
    count = stage.options.cycles or _affordable(stage)
    # Each step has its own limit, and the first failure ends it: the whole may take as long as it takes.
    stage.deadline.more(count * 3 * stage.options.timeout)
    stage.read(names.SUM, json.dumps({"cycles": count, "seed": stage.options.seed}))
    sequence = plans(count, stage.options.seed, stage.options.hold)
    failure = _run(stage, sequence)
    if failure is None:
        stage.read(names.PROVES, stage.traffic.need().proves())
        return
    if isinstance(failure.error, Refused):
        stage.read(names.REFUSED_LATER, failure.error)
        return
    stage.traffic.note(names.CYCLE, failure.error)
    # What the replays show is held against the other statements alone.
    stage.history.go_on(f"{names.STRESS}, replayed", ())
    failing = sequence[: failure.at + 1]
    try:
        short = _shorten(stage, failing)
    except (NotSuspended, NotResumed, Refused, Overdue, DeviceError):
        short = None
    stage.history.go_on(names.STRESS, ("S1",))
    stage.read(names.SHORTEST, json.dumps([plan._asdict() for plan in short or ()]))
