"""One statement explained: what it demands, how it is judged, and what breaks it."""

from __future__ import annotations

import inspect

from uvirtio.errors import UsageError
from uvirtio.spec.statements import CHAPTERS, STATEMENTS, UNJUDGED, Statement

from ..scenarios import Scenario, every_scenario
from ..statements import every_judgement

__all__ = ["explain"]


def explain(word: str) -> dict[str, object]:
    """What there is to say of a statement (``V3``) or of a sentence of the specification (``2.1.2#1``).

    Raises :class:`UsageError` for anything else.
    """
    judgements = every_judgement()
    id_ = word.strip().upper()
    if id_ in STATEMENTS:
        return _statement(STATEMENTS[id_], inspect.getdoc(judgements[id_]()) if id_ in judgements else None)
    if (sentence := word.strip()) in UNJUDGED:
        row = UNJUDGED[sentence]
        return {
            "sentence": row.sentence, "level": row.level.value, "text": row.text, "not judged": row.reason
        }  # fmt: skip
    standing = [row.id for row in STATEMENTS.values() if sentence in row.sentences]
    if standing:
        return {"sentence": sentence, "judged by": standing}
    raise UsageError(
        f"there is no statement {word!r}, and no sentence of that number; `uvirtio check --list` shows the statements, and "
        "2.1.2#1 is the first sentence of requirements in section 2.1.2"
    )


def _statement(row: Statement, judged: str | None) -> dict[str, object]:
    scenarios = [each for each in every_scenario() if row.id in (*each.shows, *each.also)]
    return {
        "id": row.id,
        "statement": row.text,
        "level": row.level.value,
        "side": row.side.value,
        "section": row.section,
        "chapter": next((name for name, ids in CHAPTERS.items() if row.id in ids), ""),
        "sentences": list(row.sentences),
        "dialects": list(row.dialects) or "every device",
        "needs": [need.value for need in row.needs],
        "shown by": [_scenario(each) for each in scenarios] or "every scenario",
        "judged by": " ".join((judged or "").split()),
        "implies": list(row.implies),
        "the driver deviates": list(row.deviates),
        "broken by": _faults(row.id),
    }


def _scenario(each: Scenario) -> str:
    return f"{each.name}: {' '.join((inspect.getdoc(each.run) or '').split())}"


def _faults(id_: str) -> list[str]:
    """Devices that break it, each with the parameter that makes one."""
    from uvirtio.emulated.faults import FAULTS, statement_of

    return [
        f"fault={name}: {' '.join((inspect.getdoc(classes[0]) or '').split())}"
        for name, classes in FAULTS.items()
        if statement_of(name) == id_
    ]
