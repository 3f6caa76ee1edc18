"""Latencies: percentiles by nearest rank, and a histogram by powers of two that loses none."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uvirtio.suspend import Outcome, Transition
from uvirtio_tools.judging.latency import Latency


def transition(seconds: float, after: float = 0.0, outcome: Outcome = Outcome.DONE) -> Transition:
    return Transition("suspend", "1.4", outcome, 0x0F, (0x1F,), 0x1B, seconds, after, 3)


def test_only_transitions_that_came_about_count_and_the_widest_interval_is_the_uncertainty() -> None:
    latency = Latency.of([transition(0.2, 0.1), None, transition(0.5, 0.45), transition(9.0, 0.0, Outcome.TIMED_OUT)])
    assert latency.seconds == (0.2, 0.5)
    assert latency.uncertainty == pytest.approx(0.1)


def test_percentiles_are_values_that_occurred() -> None:
    latency = Latency(tuple(float(number) for number in range(1, 101)))
    assert (latency.percentile(50), latency.percentile(90), latency.percentile(99)) == (50.0, 90.0, 99.0)


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=1, max_size=50))
def test_every_value_lies_in_exactly_one_bin(values: list[float]) -> None:
    bins = Latency(tuple(sorted(values))).histogram()
    assert sum(count for _, _, count in bins) == len(values)
    assert all(before[1] == after[0] for before, after in pairwise(bins))
    for low, high, count in bins:
        assert count == sum(low <= value < high for value in values)


def test_without_values_there_is_a_count_of_0_and_nothing_else() -> None:
    assert Latency(()).to_json() == {"count": 0}
    assert Latency(()).histogram() == []
