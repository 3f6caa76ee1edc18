"""How long suspends and resumes took, over many cycles: extremes, percentiles, and a histogram by powers of two."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from uvirtio.suspend import Transition

__all__ = ["Latency"]

_MICROSECOND = 1e-6


@dataclass(frozen=True, slots=True)
class Latency:
    """Sorted latencies in seconds of the transitions that came about.

    ``seconds`` reach to the first read that showed the new state. A device was faster than that by less than
    ``uncertainty``: the longest time between the last "not yet" and the first "done" of any of them.
    """

    seconds: tuple[float, ...]
    uncertainty: float = 0.0

    @classmethod
    def of(cls, transitions: Iterable[Transition | None]) -> Latency:
        """From transitions; those that failed or are missing do not count."""
        done = [transition for transition in transitions if transition and transition.done]
        widest = max((transition.seconds - transition.after for transition in done), default=0.0)
        return cls(tuple(sorted(transition.seconds for transition in done)), widest)

    @property
    def count(self) -> int:
        """How many."""
        return len(self.seconds)

    def percentile(self, percent: float) -> float:
        """The smallest latency that at least ``percent`` of all do not exceed (nearest rank)."""
        rank = max(1, -(-len(self.seconds) * percent // 100))
        return self.seconds[int(rank) - 1]

    @property
    def quartet(self) -> tuple[float, float, float, float]:
        """Minimum, median, 99th percentile, maximum."""
        return self.seconds[0], self.percentile(50), self.percentile(99), self.seconds[-1]

    def histogram(self) -> list[tuple[float, float, int]]:
        """(from, to, count) for each power of two of microseconds that occurs or lies between; below 1 µs is one bin."""
        if not self.seconds:
            return []
        bins: dict[int, int] = {}
        for value in self.seconds:
            power = 0 if value < _MICROSECOND else math.frexp(value / _MICROSECOND)[1]
            bins[power] = bins.get(power, 0) + 1
        return [
            (0.0 if power == 0 else _MICROSECOND * 2 ** (power - 1), _MICROSECOND * 2**power, bins.get(power, 0))
            for power in range(min(bins), max(bins) + 1)
        ]

    def to_json(self) -> dict[str, object]:
        """As a JSON object, times in seconds."""
        if not self.seconds:
            return {"count": 0}
        names = ("minimum", "median", "p99", "maximum")
        return {
            "count": self.count,
            **dict(zip(names, self.quartet, strict=True)),
            "p90": self.percentile(90),
            "uncertainty": self.uncertainty,
            "histogram": [{"from": low, "to": high, "count": number} for low, high, number in self.histogram()],
        }
