"""Every verdict outside of suspend is seen both ways as well: on conforming devices, and on one that breaks exactly its statement."""

from __future__ import annotations

import pytest

from tests.emulated.checks import proof
from uvirtio.emulated.faults import FAULTS, statement_of
from uvirtio.spec.statements import CHAPTERS, STATEMENTS, Level, Side

OTHERS = [name for name in FAULTS if name not in proof.SUSPEND and name not in proof.WAYS]
OF_CHAPTERS = [chapter for chapter in CHAPTERS if chapter != "suspend"]


def _wrong(fault: str) -> str:
    """What is wrong with the proof by one fault, empty where nothing is."""
    id_ = statement_of(fault)
    chapter = proof.chapter_of(id_)
    if (conforming := proof.shown(proof.WHERE[fault], chapter=chapter).get(id_)) != "PASS":
        return f"{id_} is {conforming} where nothing is broken"
    failed = proof.broken(proof.shown(proof.WHERE[fault], fault, chapter))
    if id_ not in failed:
        return f"not seen; seen: {sorted(failed)}"
    more = failed - {id_} - set(STATEMENTS[id_].implies)
    return f"breaks {sorted(more)} too" if more else ""


@pytest.mark.parametrize("chapter", OF_CHAPTERS)
def test_each_fault_breaks_its_own_statement_and_only_what_that_implies(chapter: str) -> None:
    faults = [fault for fault in OTHERS if proof.chapter_of(statement_of(fault)) == chapter]
    assert {fault: why for fault in faults if (why := _wrong(fault))} == {}


def test_every_fault_says_what_it_is_shown_on() -> None:
    assert set(proof.WHERE) == set(OTHERS)


def test_every_statement_that_is_judged_has_a_fault_that_breaks_it() -> None:
    shown = {statement_of(fault) for fault in OTHERS}
    judged = {
        id_
        for chapter, ids in CHAPTERS.items()
        if chapter != "suspend"
        for id_ in ids
        if STATEMENTS[id_].side is Side.DEVICE and STATEMENTS[id_].level not in (Level.UNSPECIFIED, Level.MAY)
    }
    assert judged <= shown
