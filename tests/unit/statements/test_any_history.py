"""No statement fails on a history, whatever is in it: what makes no sense has no verdict, and no traceback."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import cache

import pytest

from uvirtio.spec.statements import STATEMENTS
from uvirtio_tools.judging.history import Window
from uvirtio_tools.judging.judge import Judge
from uvirtio_tools.statements import every_judgement

from .scenes import cycles, live
from .strange import disordered, with_strange_values
from .table import Case, broken_by
from .tale import Tale
from .told import CASES


@cache
def windows() -> list[Window]:
    """Of all histories that there are."""
    tale = Tale()
    live(tale)
    cycles(tale)
    return [*tale.windows, *(window for case in CASES for window in case.told().windows)]


def is_judged(found: Sequence[Window]) -> set[str]:
    """Judge windows with everything that comes of it; the statements that are broken."""
    judge = Judge(every_judgement(), found[0].setting, strict=False)
    for window in found:
        judge.hear(window)
    for result in judge.results(STATEMENTS):
        assert json.dumps(result.to_json())
    return broken_by(judge)


@pytest.mark.parametrize("seed", range(10))
def test_events_in_any_order_and_with_any_of_them_missing_are_judged(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(50):
        is_judged(disordered(source, windows()))


@pytest.mark.parametrize("seed", range(10))
def test_events_with_any_values_are_judged(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(50):
        start = source.randrange(len(windows()))
        is_judged(with_strange_values(source, windows()[start : start + 3]))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_history_that_is_cut_off_anywhere_breaks_nothing_that_the_whole_does_not(case: Case) -> None:
    source = random.Random(str(case))
    for _ in range(10):
        assert is_judged(cut_off(source, case.told().windows)) <= case.broken


def cut_off(source: random.Random, told: Sequence[Window]) -> list[Window]:
    """The beginning of a history."""
    number = source.randrange(len(told))
    last = told[number]
    del last.events[source.randrange(len(last.events) + 1) :]
    last.end()
    return list(told[: number + 1])
