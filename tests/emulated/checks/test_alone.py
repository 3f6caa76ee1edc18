"""A statement that is asked for alone gets the verdict that it gets in a whole check."""

from __future__ import annotations

from functools import cache

import pytest

from tests.emulated.checks import proof
from tests.emulated.checks.judging import judge, results, words
from uvirtio.emulated.faults import FAULTS, statement_of
from uvirtio.spec.statements import APART, CHAPTERS

DEVICES = (
    "rng",
    "rng?features=-SUSPEND",
    "rng?intx=off",
    "rng?profile=rfc",
    "blk?size=1M",
    "blk?size=1M&features=-SUSPEND",
    "blk?profile=crosvm&size=1M",
    "input?features=-SUSPEND",
    "console?features=-SUSPEND",
)
#: What it says depends on all that was done to the device before the last look: a whole check has its configuration changed.
_OF_THE_RUN = {"S2"}
OTHERS = [name for name in FAULTS if name not in proof.SUSPEND and name not in proof.WAYS]
OF_CHAPTERS = [chapter for chapter in CHAPTERS if chapter != "suspend"]


@cache
def _alone(locator: str, id_: str) -> str:
    return words(judge(locator, only=id_, provoke=True))[id_]


@pytest.mark.parametrize("device", DEVICES)
def test_every_statement_gets_the_same_verdict_alone(device: str) -> None:
    whole = {
        id_: word for id_, word in words(judge(f"emulated:{device}", provoke=True)).items() if id_ not in _OF_THE_RUN
    }
    assert {id_: _alone(f"emulated:{device}", id_) for id_ in whole} == whole


@pytest.mark.parametrize("chapter", OF_CHAPTERS)
def test_every_fault_is_found_by_its_statement_alone(chapter: str) -> None:
    faults = [name for name in OTHERS if proof.chapter_of(statement_of(name)) == chapter]
    missed = []
    for fault in faults:
        where = proof.WHERE[fault]
        where = proof.with_fault(where, fault) if chapter in APART else proof.without_suspend(where, fault)
        if _alone(where, statement_of(fault)) not in ("FAIL", "WARN"):
            missed.append(fault)
    assert missed == []


def test_every_further_way_to_break_suspend_is_found_by_its_statement_alone() -> None:
    missed = []
    for fault, locator in proof.WAYS.items():
        where = proof.with_fault(locator, fault)
        if _alone(where, statement_of(fault)) not in ("FAIL", "WARN"):
            missed.append(fault)
    assert missed == []


@pytest.mark.parametrize("features", ["", "?features=-SUSPEND"])
def test_what_is_judged_by_each_way_is_so_alone_as_well(features: str) -> None:
    for id_ in ("N1", "N2"):
        found = results(judge(f"emulated:rng{features}", only=id_))[id_]
        assert any(remark.startswith("by MSI-X") for remark in found.finding.remarks), id_
