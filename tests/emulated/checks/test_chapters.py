"""Every verdict outside of suspend is seen both ways as well: on conforming devices, and on one that breaks exactly its statement."""

from __future__ import annotations

import pytest

from tests.emulated.checks import proof
from uvirtio.emulated.faults import FAULTS, statement_of
from uvirtio.spec.statements import CHAPTERS, STATEMENTS, Level, Side

OTHERS = [name for name in FAULTS if name not in proof.SUSPEND]


@pytest.mark.parametrize("fault", OTHERS)
def test_a_fault_breaks_its_own_statement_and_only_what_that_implies(fault: str) -> None:
    id_ = statement_of(fault)
    assert proof.shown(proof.WHERE[fault])[id_] == "PASS"
    failed = proof.broken(proof.shown(proof.WHERE[fault], fault))
    assert id_ in failed
    assert failed - {id_} <= set(STATEMENTS[id_].implies)


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
