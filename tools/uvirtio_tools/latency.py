"""How long suspends and resumes took, over many cycles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uvirtio.suspend import Transition

__all__ = ["Latency"]


@dataclass(frozen=True, slots=True)
class Latency:
    """Sorted latencies in seconds of the transitions that came about."""

    seconds: tuple[float, ...]

    @classmethod
    def of(cls, transitions: Iterable[Transition | None]) -> Latency:
        """From transitions; those that failed or are missing do not count."""
        return cls(tuple(sorted(transition.seconds for transition in transitions if transition and transition.done)))

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

    def to_json(self) -> dict[str, object]:
        """As a JSON object, times in seconds."""
        if not self.seconds:
            return {"count": 0}
        names = ("minimum", "median", "p99", "maximum")
        return {"count": self.count, **dict(zip(names, self.quartet, strict=True))}
