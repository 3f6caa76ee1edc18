"""Markdown: the table of verdicts, and what is behind those that are not good; several results as a matrix."""

from __future__ import annotations

from collections.abc import Sequence

from .document import Document, cut_off, ids_of, labels, result_of, verdict_of

__all__ = ["render", "table"]


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
    return _one(documents[0]) if len(documents) == 1 else _matrix(documents)


def _one(document: Document) -> str:
    device = document["device"]
    parts = [f"# {cell(document['locator'])}: {document['verdict']}\n"]
    facts = [
        ("device", f"virtio {device.get('type', '?')} ({device.get('id', '?')})"),
        ("dialect", document.get("dialect") or "none"),
    ]
    # What the bus knows is nearer to the device than what the machine says of itself.
    known = {**document["machine"], **device}
    facts += [(name, value) for name, value in known.items() if name not in ("type", "id", "device", "time")]
    facts.append(
        ("features", f"offered {document['features'].get('offered')}, accepted {document['features'].get('accepted')}")
    )
    facts.append(("time", f"{document.get('started', '')}{', simulated' if document.get('simulated_time') else ''}"))
    parts.append(table(("", ""), facts))
    for why in (cut_off(document), document.get("not_offered")):
        if why:
            parts.append(f"**{cell(why)}**\n")
    if document["remarks"]:
        parts.append("\n".join(f"- {cell(remark)}" for remark in document["remarks"]) + "\n")
    rows = [(r["id"], r["verdict"], r["level"], r["text"], r["summary"]) for r in document["results"]]
    parts.append(table(("id", "verdict", "level", "statement", "what was seen"), rows))
    for result in document["results"]:
        if result["verdict"] in ("FAIL", "WARN", "ERROR"):
            parts.append(_details(result))
    latency = [
        (
            kind,
            data["count"],
            *(f"{data[name] * 1e3:.3f} ms" for name in ("minimum", "median", "p90", "p99", "maximum")),
        )
        for kind, data in document["latency"].items()
        if data["count"]
    ]
    if latency:
        parts.append(table(("", "count", "minimum", "median", "p90", "p99", "maximum"), latency))
    return "\n".join(parts)


def _details(result: Document) -> str:
    lines = [f"## {result['id']}: {result['verdict']}\n", f"{cell(result['text'])} ({cell(result['section'])})\n"]
    lines += [f"- expected: {cell(result['expected'])}", f"- observed: {cell(result['observed'])}"]
    lines += [f"- {cell(remark)}" for remark in result["remarks"]]
    lines += [f"- deviation: {cell(deviation)}" for deviation in result["deviations"]]
    return "\n".join(lines) + "\n"


def _matrix(documents: Sequence[Document]) -> str:
    rows = []
    for id_ in ids_of(documents):
        text = next((found["text"] for document in documents if (found := result_of(document, id_))), "")
        rows.append((id_, text, *(verdict_of(document, id_) or "-" for document in documents)))
    return "# Comparison\n\n" + table(("id", "statement", *labels(documents)), rows)
