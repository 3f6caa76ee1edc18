"""What is known of a device already: an earlier result, or a list of expected deviations, against the verdicts of now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from uvirtio.errors import UsageError
from uvirtio.spec.statements import STATEMENTS

from ..judging.verdict import Verdict
from .document import Document

__all__ = ["Expected", "News", "against_baseline", "against_expected", "read_expected"]

#: How bad a verdict is; equal ones are no news.
_RANK = {"PASS": 0, "INFO": 0, "SKIP": 0, "WARN": 1, "FAIL": 2, "ERROR": 2}


class News(NamedTuple):
    """What is not as it was known, in sentences: ``worse`` counts, ``better`` is told."""

    worse: tuple[str, ...]
    better: tuple[str, ...]


class Expected(NamedTuple):
    """A verdict that a device is known to have, and why."""

    id: str
    verdict: str
    reason: str


def _verdicts(document: Mapping[str, Any]) -> dict[str, str]:
    return {result["id"]: result["verdict"] for result in document["results"]}


def against_baseline(now: Mapping[str, Any], before: Document) -> News:
    """A result against an earlier one of the same device. What was not judged then and is kept now is no news."""
    known, worse, better = _verdicts(before), [], []
    for id_, verdict in _verdicts(now).items():
        was = known.get(id_, "SKIP")
        sentence = f"{id_}: {was} in the baseline, {verdict} now"
        if _RANK[verdict] > _RANK[was]:
            worse.append(sentence)
        elif _RANK[verdict] < _RANK[was]:
            better.append(sentence)
    return News(tuple(worse), tuple(better))


def read_expected(text: str, path: str) -> list[Expected]:
    """Lines such as ``V13 FAIL QEMU serves before DRIVER_OK``; empty ones and those that begin with # are left out.

    Raises :class:`UsageError` for anything else.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split(maxsplit=2)
        if not words or words[0].startswith("#"):
            continue
        where = f"{path}: line {number}"
        if len(words) < 3:
            raise UsageError(f"{where}: an id, a verdict and a reason are expected, not {line.strip()!r}")
        id_, verdict, reason = words[0].upper(), words[1].upper(), words[2].strip()
        if id_ not in STATEMENTS:
            raise UsageError(
                f"{where}: there is no statement {words[0]!r}; `uvirtio check --list` shows those that there are"
            )
        if verdict not in _RANK:
            raise UsageError(
                f"{where}: there is no verdict {words[1]!r}; there are {', '.join(word.value for word in Verdict)}"
            )
        found.append(Expected(id_, verdict, reason))
    return found


def against_expected(now: Mapping[str, Any], expected: Sequence[Expected]) -> News:
    """A result against known deviations: one that is not known is worse, one that does not show any more is better."""
    known, worse, better = {row.id: row for row in expected}, [], []
    for id_, verdict in _verdicts(now).items():
        row = known.get(id_)
        if row is None:
            if _RANK[verdict] == _RANK["FAIL"]:
                worse.append(f"{id_}: {verdict}, which was not expected")
        elif _RANK[verdict] > _RANK[row.verdict]:
            worse.append(f"{id_}: {verdict}, where {row.verdict} was expected ({row.reason})")
        elif _RANK[verdict] < _RANK[row.verdict] and verdict != "SKIP":
            better.append(f"{id_}: {verdict}, where {row.verdict} was expected ({row.reason})")
    return News(tuple(worse), tuple(better))
