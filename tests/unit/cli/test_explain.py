"""``uvirtio explain``: everything that there is to say of a statement or a sentence."""

from __future__ import annotations

import json

import pytest

from uvirtio.emulated.faults import FAULTS, statement_of
from uvirtio.spec.statements import STATEMENTS, UNJUDGED
from uvirtio_tools.cli import main


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    assert main(["explain", *words, "--json"]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)["explanations"]
    return found


def test_every_statement_says_how_it_is_judged_and_by_what_it_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for row in explained(capsys, *STATEMENTS):
        assert row["judged by"] or row["side"] == "driver", row["id"]
        assert row["shown by"], row["id"]
        assert row["section"], row["id"]


def test_the_devices_that_break_it_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    for row in explained(capsys, *dict.fromkeys(statement_of(fault) for fault in FAULTS)):
        assert row["broken by"], row["id"]


def test_a_sentence_leads_to_its_statement_or_to_the_reason_why_there_is_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    judged, left = explained(capsys, "2.7.8.2#1", "2.7.8.2#3")
    assert judged["judged by"] == ["Q7"]
    assert left["not judged"] == UNJUDGED["2.7.8.2#3"].reason


def test_for_people_it_is_a_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "b6"]) == 0
    said = capsys.readouterr().out
    assert STATEMENTS["B6"].text in said
    assert "fault=B6" in said


def test_what_is_neither_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "X99"]) == 2
    assert "there is no statement 'X99'" in capsys.readouterr().err
