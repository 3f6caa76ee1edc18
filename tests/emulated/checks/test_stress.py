"""Stress: a thousand suspends at random points per device type, and a sequence that is the same whenever its seed is."""

from __future__ import annotations

import pytest

from tests.emulated.checks.judging import judge, results, words
from uvirtio_tools.scenarios.stress import FILLS, MOMENTS, plans


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
