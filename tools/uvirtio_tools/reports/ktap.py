"""KTAP version 1, as `kunit.py parse` and CI systems read it: an id is the name of a test; several results become subtests."""

from __future__ import annotations

from collections.abc import Sequence

from ..judging.verdict import VERDICTS
from .document import Document, labels, results_of

__all__ = ["render"]


def _plain(text: str) -> str:
    """One line without the sign that starts a directive."""
    return " ".join(text.replace("#", "No.").split())


def _lines(document: Document) -> list[str]:
    results = results_of(document)
    lines = ["KTAP version 1", f"1..{len(results)}"]
    for number, result in enumerate(results, 1):
        ok, directive, element = VERDICTS[result["verdict"]]
        if result["verdict"] in ("WARN", "INFO") or not ok:
            lines.append(f"# {result['id']}: {result['verdict']}: {_plain(result['text'])} {_plain(result['summary'])}")
        if not ok:
            lines.append(f"# {result['id']}: expected: {_plain(result['expected'])}")
            lines.append(f"# {result['id']}: observed: {_plain(result['observed'])}")
        suffix = f" # SKIP {_plain(result['summary'])}" if directive else " # ERROR" if element == "error" else ""
        lines.append(f"{'ok' if ok else 'not ok'} {number} {result['id']}{suffix}")
    return lines


def render(documents: Sequence[Document]) -> str:
    """The test results as KTAP."""
    if len(documents) == 1:
        return "\n".join(_lines(documents[0])) + "\n"
    lines = ["KTAP version 1", f"1..{len(documents)}"]
    for number, (name, document) in enumerate(zip(labels(documents), documents, strict=True), 1):
        head, *rest = _lines(document)
        lines += [f"  {line}" for line in (head, f"# Subtest: {_plain(name)}", *rest)]
        good = all(VERDICTS[result["verdict"]][0] for result in results_of(document))
        lines.append(f"{'ok' if good else 'not ok'} {number} {_plain(name)}")
    return "\n".join(lines) + "\n"
