"""The shortest sequence that still fails: which ends are replayed, when that stops, and what is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from uvirtio.errors import DeviceMisbehaved
from uvirtio_tools.judging.deadline import Overdue
from uvirtio_tools.judging.stage import Stage
from uvirtio_tools.scenarios import stress
from uvirtio_tools.scenarios.stress import Plan, plans

STAGE = cast(Stage, None)
PLANS = plans(8, 0, 0.2)
Fails = Callable[[Sequence[Plan]], int | None]


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> Callable[[Fails], list[list[Plan]]]:
    """Replays fail at the place that a function gives, None for not at all; what was replayed is returned."""

    def set_up(fails: Fails) -> list[list[Plan]]:
        replayed: list[list[Plan]] = []

        def run(_stage: Stage, sequence: Sequence[Plan]) -> Any:
            replayed.append(list(sequence))
            at = fails(sequence)
            return None if at is None else stress._Failure(at, DeviceMisbehaved("it fails"))

        monkeypatch.setattr(stress, "_run", run)
        return replayed

    return set_up


def test_a_failure_that_does_not_come_again_has_no_shortest_sequence(
    replay: Callable[[Fails], list[list[Plan]]],
) -> None:
    replayed = replay(lambda sequence: None)
    assert stress._shorten(STAGE, PLANS) is None
    assert replayed == [PLANS]


@pytest.mark.parametrize(("needed", "found"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (8, 8)])
def test_ends_of_doubled_length_are_tried_until_one_fails(
    replay: Callable[[Fails], list[list[Plan]]], needed: int, found: int
) -> None:
    replayed = replay(lambda sequence: len(sequence) - 1 if len(sequence) >= needed else None)
    assert stress._shorten(STAGE, PLANS) == PLANS[-found:]
    tried = [len(each) for each in replayed[1:]]
    assert tried == [length for length in (1, 2, 4) if length <= found]
    assert all(each == PLANS[-len(each) :] for each in replayed)


def test_what_comes_after_the_failure_is_left_away(replay: Callable[[Fails], list[list[Plan]]]) -> None:
    replay(lambda sequence: 1 if len(sequence) >= 4 else None)
    assert stress._shorten(STAGE, PLANS) == PLANS[-4:-2]


def test_a_sequence_of_one_is_not_replayed_twice(replay: Callable[[Fails], list[list[Plan]]]) -> None:
    replayed = replay(lambda sequence: 0)
    assert stress._shorten(STAGE, PLANS[:1]) == PLANS[:1]
    assert len(replayed) == 1


@pytest.mark.parametrize("end", [Overdue, stress.Refused, stress.NotSuspended, stress.NotResumed])
def test_a_replay_that_ends_otherwise_leaves_the_whole_sequence(
    replay: Callable[[Fails], list[list[Plan]]], end: type[Exception]
) -> None:
    def fails(sequence: Sequence[Plan]) -> int | None:
        if len(sequence) == 2:
            raise end.__new__(end)
        return 0 if len(sequence) == 8 else None

    replayed = replay(fails)
    assert stress._shorten(STAGE, PLANS) == PLANS
    assert [len(each) for each in replayed] == [8, 1, 2]


def test_replays_have_a_bound(replay: Callable[[Fails], list[list[Plan]]]) -> None:
    many = plans(1 << 14, 0, 0.2)
    replayed = replay(lambda sequence: 0 if len(sequence) == len(many) else None)
    assert stress._shorten(STAGE, many) == many
    assert len(replayed) == 1 + stress.REPLAYS
