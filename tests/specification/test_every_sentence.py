"""Every normative sentence about devices has a statement, or a reason why there is none: nothing was left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from uvirtio.spec.statements import STATEMENTS, UNJUDGED, Side

#: Sentences per file and section, as ``count_sentences.py`` counts them in the commit that is named there.
COUNTED = json.loads(Path(__file__).with_name("sentences.json").read_text(encoding="utf-8"))["device"]


@pytest.mark.parametrize("file", COUNTED)
def test_every_sentence_of_a_file_is_judged_or_listed_with_a_reason(file: str) -> None:
    sentences = {f"{section}#{number}" for section, count in COUNTED[file].items() for number in range(1, count + 1)}
    judged = {sentence for row in STATEMENTS.values() for sentence in row.sentences}
    assert sentences <= judged | set(UNJUDGED)


def test_no_statement_stands_for_a_sentence_that_is_not_there() -> None:
    counted = {
        f"{section}#{number}"
        for sections in COUNTED.values()
        for section, count in sections.items()
        for number in range(1, count + 1)
    }
    of_devices = {sentence for row in STATEMENTS.values() if row.side is Side.DEVICE for sentence in row.sentences}
    assert of_devices <= counted
    assert set(UNJUDGED) <= counted
    assert not set(UNJUDGED) & of_devices
    assert all(row.reason and row.text for row in UNJUDGED.values())


def test_the_counts_are_those_of_the_specification() -> None:
    totals = {file: sum(sections.values()) for file, sections in COUNTED.items()}
    assert totals["content.tex"] == 30
    assert totals["split-ring.tex"] == 20
    assert totals["packed-ring.tex"] == 8
    assert sum(totals.values()) == 341
