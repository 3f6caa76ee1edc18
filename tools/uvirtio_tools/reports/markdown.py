"""Markdown: the verdict, the story of each statement that is not as it should be, then the table; several results as a matrix."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .document import Document, ids_of, labels, result_of, results_of, verdict_of
from .phrases import about, evidence, facts, seconds, sentence
from .story import accesses

__all__ = ["render", "table"]

#: Accesses in a story: the newest.
_ACCESSES = 20


def cell(text: object) -> str:
    """Text that stays in its cell and is not taken for markup."""
    plain = " ".join(str(text).split())
    for sign in "\\`*_|<>[]&~":
        plain = plain.replace(sign, "\\" + sign)
    return plain


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table."""
    lines = [f"| {' | '.join(cell(text) for text in head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell(text) for text in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def render(documents: Sequence[Document]) -> str:
    """The report."""
    return _one(documents[0]) if len(documents) == 1 else _several(documents)


def _one(document: Document) -> str:
    parts = [f"# {document['verdict']}: {cell(document['locator'])}\n", f"{cell(sentence(document))}\n"]
    parts.append(f"{cell(about(document))}.\n")
    parts += _stories(document, "##")
    rows = [(r["id"], r["verdict"], r["level"], r["text"], r["summary"]) for r in document["results"]]
    parts.append("## Every statement\n")
    parts.append(table(("id", "verdict", "level", "statement", "what was seen"), rows))
    parts.append("## The run\n")
    parts.append(table(("", ""), list(facts(document).items())))
    if document["remarks"]:
        parts.append("\n".join(f"- {cell(remark)}" for remark in document["remarks"]) + "\n")
    latency = [
        (kind, data["count"], *(seconds(data[name]) for name in ("minimum", "median", "p90", "p99", "maximum")))
        for kind, data in document["latency"].items()
        if data["count"]
    ]
    if latency:
        parts.append(table(("", "count", "minimum", "median", "p90", "p99", "maximum"), latency))
    return "\n".join(parts)


def _stories(document: Document, mark: str) -> list[str]:
    return [
        _story(result, mark)
        for word in ("FAIL", "ERROR", "WARN")
        for result in results_of(document)
        if result["verdict"] == word
    ]


def _story(result: Document, mark: str) -> str:
    lines = [f"{mark} {cell(result['id'])}: {result['verdict']}: {cell(result['summary'])}\n"]
    lines.append(f"{cell(result['text'])} ({cell(result['level'])}, {cell(result['section'])})\n")
    lines += [f"- {name}: {cell(result[name])}" for name in ("expected", "observed") if result[name]]
    lines += [f"- {cell(remark)}" for remark in result["remarks"]]
    lines += [f"- the driver deviated on purpose: {cell(deviation)}" for deviation in result["deviations"]]
    for name, pairs in evidence(result["evidence"]):
        lines.append(f"- {cell(name) or 'seen'}: {cell('; '.join(f'{key}: {words}' for key, words in pairs))}")
    if newest := accesses({**result, "accesses": result["accesses"][-_ACCESSES:]}):
        # Indented code: nothing in it can end it, and not every reader knows what it is.
        plain = re.sub(r"[<>&`]", "?", newest)
        lines += ["", "The accesses before:", "", *(f"    {line}" for line in plain.splitlines())]
    return "\n".join(lines) + "\n"


def _several(documents: Sequence[Document]) -> str:
    names = labels(documents)
    parts = ["# Comparison\n"]
    rows = [(name, document["verdict"], sentence(document)) for name, document in zip(names, documents, strict=True)]
    parts.append(table(("device", "verdict", ""), rows))
    for name, document in zip(names, documents, strict=True):
        if stories := _stories(document, "###"):
            parts += [f"## {cell(name)}\n", *stories]
    matrix = []
    for id_ in ids_of(documents):
        text = next((found["text"] for document in documents if (found := result_of(document, id_))), "")
        matrix.append((id_, text, *(verdict_of(document, id_) or "-" for document in documents)))
    parts += ["## Every statement\n", table(("id", "statement", *names), matrix)]
    return "\n".join(parts)
