"""A statement about notifications is judged by each way that a device has: what is broken by one of them is broken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from uvirtio_tools.judging.history import Window
from uvirtio_tools.judging.judge import Judge
from uvirtio_tools.judging.result import CheckResult
from uvirtio_tools.statements import every_judgement

from .table import BROKEN, KEPT, MOOT, Case
from .told import CASES

WAY = "MSI-X, messages into memory"


def _windows(case: Case, way: str) -> list[Window]:
    return [replace(window, way=way, answers={}, memory={}) for window in case.told().windows]


def _case(id_: str, kind: object) -> Case:
    return next(case for case in CASES if case.id == id_ and case.kind is kind)


def _result(id_: str, by_isr: object, by_messages: object) -> CheckResult:
    first, second = _case(id_, by_isr), _case(id_, by_messages)
    judge = Judge(every_judgement(), first.told().setting, strict=True)
    for window in (*_windows(first, ""), *_windows(second, WAY)):
        judge.hear(window)
    return judge.result(id_)


@pytest.mark.parametrize("id_", ["V3", "V6", "V7", "V12", "V14", "N2", "N3"])
def test_what_messages_alone_break_is_broken_and_says_by_which(id_: str) -> None:
    result = _result(id_, KEPT, BROKEN)
    assert result.verdict.value == "FAIL"
    assert result.finding.observed.endswith(f"(by {WAY})")
    assert any(remark.startswith("by ISR and INTx: PASS: ") for remark in result.finding.remarks)
    assert "ISR bit" not in result.finding.observed


@pytest.mark.parametrize("id_", ["V3", "V6", "V7", "V12", "V14", "N2", "N3"])
def test_what_isr_alone_breaks_is_broken_and_messages_are_named_with_it(id_: str) -> None:
    result = _result(id_, BROKEN, KEPT)
    assert result.verdict.value == "FAIL"
    assert WAY not in result.finding.observed
    assert any(remark.startswith(f"by {WAY}: PASS: ") for remark in result.finding.remarks)


def test_messages_show_what_isr_could_not() -> None:
    result = _result("V3", MOOT, KEPT)
    assert result.verdict.value == "PASS"
    assert f"by {WAY}" in result.finding.remarks
    assert f"by {WAY}" in _result("V3", KEPT, KEPT).finding.evidence


def test_isr_itself_is_not_judged_by_messages() -> None:
    assert _result("N6", KEPT, BROKEN).verdict.value == "PASS"
