"""Every verdict outside of suspend is seen both ways as well: on conforming devices, and on one that breaks exactly its statement."""

from __future__ import annotations

from tests.emulated.checks import proof
from uvirtio.emulated.faults import FAULTS, statement_of
from uvirtio.spec.statements import CHAPTERS, STATEMENTS, Level, Side

OTHERS = [name for name in FAULTS if name not in proof.SUSPEND]


def test_each_fault_breaks_its_own_statement_and_only_what_that_implies() -> None:
    for fault in OTHERS:
        id_ = statement_of(fault)
        assert proof.shown(proof.WHERE[fault])[id_] == "PASS", fault
        failed = proof.broken(proof.shown(proof.WHERE[fault], fault))
        assert id_ in failed, fault
        assert failed - {id_} <= set(STATEMENTS[id_].implies), fault
    assert set(proof.WHERE) == set(OTHERS), "every fault says what it is shown on"


def test_every_statement_that_is_judged_has_a_fault_that_breaks_it() -> None:
    shown = {statement_of(fault) for fault in OTHERS}
    judged = {
        id_
        for chapter, ids in CHAPTERS.items()
        if chapter != "suspend"
        for id_ in ids
        if STATEMENTS[id_].side is Side.DEVICE and STATEMENTS[id_].level not in (Level.UNSAID, Level.MAY)
    }
    assert judged <= shown
