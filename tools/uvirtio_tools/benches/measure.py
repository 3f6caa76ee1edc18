"""Timing on a machine that others use too: short runs of everything in turn, medians, and ratios within one turn."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple

__all__ = ["Runner", "Timing", "interleave"]

#: Runs something so many times.
Run = Callable[[int], None]


class Runner(NamedTuple):
    """``run(times)``, and the part of it that is not to be counted (playing the device): ``overhead(times)``.

    ``units``: what one time moves, so that figures are per unit; ``times``: how often it runs per turn.
    """

    run: Run
    units: int
    times: int
    overhead: Run | None = None

    def turn(self) -> float:
        """Nanoseconds per unit in one turn."""
        spent = _clock(self.run, self.times)
        if self.overhead is not None:
            spent -= _clock(self.overhead, self.times)
        return max(spent, 0.0) / (self.times * self.units)


def _clock(run: Run, times: int) -> float:
    """Processor time of this thread: what others do on the machine is not in it, apart from what they take of the caches."""
    start = time.thread_time_ns()
    run(times)
    return time.thread_time_ns() - start


class Timing:
    """What the turns of several runners gave."""

    def __init__(self, turns: Mapping[str, list[float]]) -> None:
        self.turns = turns

    def nanoseconds(self, name: str) -> float:
        """Median per unit."""
        return median(self.turns[name])

    def ratio(self, name: str, to: str) -> float:
        """Median of the ratios within each turn, which a machine that slows down now and then changes least."""
        return median(
            mine / other if other else float("inf")
            for mine, other in zip(self.turns[name], self.turns[to], strict=True)
        )


def interleave(runners: Mapping[str, Runner], turns: int) -> Timing:
    """Let each runner have its turn, so often, without garbage collection in between; one turn to warm up."""
    figures: dict[str, list[float]] = {name: [] for name in runners}
    for runner in runners.values():
        runner.turn()
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(turns):
            for name, runner in runners.items():
                figures[name].append(runner.turn())
    finally:
        if collecting:
            gc.enable()
    return Timing(figures)
