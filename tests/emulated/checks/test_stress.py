"""Stress: a thousand suspends at random points per device type, and a sequence that is the same whenever its seed is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.emulated.checks.judging import judge, results, words
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.emulated.ring import Chain
from uvirtio.emulated.ring_split import SplitRing
from uvirtio_tools.scenarios.stress import FILLS, LONG, MOMENTS, plans


@pytest.mark.parametrize("kind", ["rng", "blk?size=1M", "net?peer=echo", "console?peer=echo"])
def test_a_thousand_suspends_lose_and_double_nothing(kind: str) -> None:
    run = judge(f"emulated:{kind}", only="S1,D1,D2,D3,D4,D5,D6,D7", cycles=1000, seed=1)
    assert set(words(run).values()) == {"PASS"}
    finding = results(run)["S1"].finding
    assert finding.evidence["cycles"] == 1000
    assert len(run.transitions) == 2000
    latency = run.to_json()["latency"]
    assert isinstance(latency, dict)
    assert latency["suspend"]["count"] == latency["resume"]["count"] == 1000


def test_the_seed_decides_everything() -> None:
    assert plans(50, 4, 0.2) == plans(50, 4, 0.2)
    assert plans(50, 4, 0.2) != plans(50, 5, 0.2)
    assert plans(20, 4, 0.2) == plans(50, 4, 0.2)[:20]


def test_every_kind_of_moment_and_fill_comes_up_with_notifications_wanted_and_not() -> None:
    drawn = plans(100, 0, 0.2)
    assert {plan.moment for plan in drawn} == set(MOMENTS)
    assert {plan.fill for plan in drawn} == set(FILLS)
    assert {plan.suppressed for plan in drawn} == {True, False}
    assert all(0 <= plan.hold <= 0.02 for plan in drawn)


class LosesCountAtTheWrap(SplitRing):
    """Skips a position once its used index has run over from 65535 to 0."""

    def push(self, chain: Chain, written: int, skipped: Sequence[Chain] = ()) -> None:
        super().push(chain, written, skipped)
        if self.next_used == 0:
            self.next_used = 1


def _with_the_ring(ring: type[SplitRing]) -> Callable[[EmulatedBus], None]:
    def tamper(bus: EmulatedBus) -> None:
        bus.function.device.split_ring = ring

    return tamper


@pytest.mark.parametrize(("ring", "verdict"), [(SplitRing, "PASS"), (LosesCountAtTheWrap, "FAIL")])
def test_a_long_stress_suspends_where_the_indices_run_over(ring: type[SplitRing], verdict: str) -> None:
    locator = "emulated:rng?queue_size=32&features=-RING_PACKED"
    assert words(judge(locator, tamper=_with_the_ring(ring), only="S1", cycles=LONG)) == {"S1": verdict}
