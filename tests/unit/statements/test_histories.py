"""Every statement against histories that were written by hand, from what the specification says."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from uvirtio.spec.statements import STATEMENTS, Level
from uvirtio_tools.judging.observation import Observation
from uvirtio_tools.statements import (
    asleep,
    basic,
    blk,
    configuration,
    console,
    drafts,
    draining,
    driver,
    endings,
    initial,
    input,
    net,
    notifications,
    pci,
    queues,
    rng,
    survive,
    transitions,
    unspecified,
    whole,
)

from .table import BROKEN, KEPT, MOOT, NOTED, TOLD, Case, broken_by, judged, words
from .told import CASES

CHAPTERS = (
    asleep, basic, blk, configuration, console, drafts, draining, driver, endings, initial, input, net, notifications, pci,
    queues, rng, survive, transitions, unspecified, whole,
)  # fmt: skip
#: What a statement speaks with.
SPEAKING = ("kept", "broken", "moot", "noted", "told")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_history_is_judged_as_the_specification_has_it(case: Case) -> None:
    judge = judged(case.told())
    result = judge.result(case.id)
    assert (result.verdict.value, broken_by(judge)) == (case.verdict, set(case.broken))
    assert case.said in words(result)
    assert case.kind is MOOT or case.kind in judge.tallies[case.id].first


@pytest.mark.parametrize("id_", STATEMENTS)
def test_every_statement_has_a_history_that_keeps_it_one_that_breaks_it_and_one_without_an_occasion(id_: str) -> None:
    wanted = {TOLD, MOOT} if STATEMENTS[id_].level is Level.UNSPECIFIED else {KEPT, BROKEN, MOOT}
    # What is worth a warning and no more, whatever the level, is noted.
    found = {BROKEN if case.kind is NOTED else case.kind for case in CASES if case.id == id_}
    assert wanted <= found


def _sentences(module: ModuleType) -> Iterator[int]:
    """The lines on which something can be said of a statement."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SPEAKING:
            yield node.lineno


@pytest.mark.parametrize("module", CHAPTERS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_sentence_of_a_statement_is_spoken_of_some_history(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken = set()

    def noting(speak: Callable[..., Observation]) -> Callable[..., Observation]:
        def noted(*arguments: object, **evidence: object) -> Observation:
            spoken.add(sys._getframe(1).f_lineno)
            return speak(*arguments, **evidence)

        return noted

    for name in SPEAKING:
        if hasattr(module, name):
            monkeypatch.setattr(module, name, noting(getattr(module, name)))
    for case in CASES:
        judged(case.told())
    assert spoken == set(_sentences(module))
