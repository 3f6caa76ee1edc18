"""One self-contained HTML page: the matrix, the verdicts with their evidence, histograms, traces. No script, no links."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from .document import Document, cut_off, ids_of, labels, result_of, verdict_of

__all__ = ["render"]

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:76em;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.2em .6em;text-align:left;vertical-align:top}
th{background:#f4f4f4}pre{background:#f8f8f8;padding:.6em;overflow-x:auto;font-size:12px}
.v{font-weight:bold;white-space:nowrap}.PASS{background:#dff3df}.FAIL{background:#f7c6c6}.ERROR{background:#eac6f7}
.WARN{background:#fbeeb8}.SKIP{background:#eee;color:#555}.INFO{background:#dcecf8}summary{cursor:pointer}
"""


def _cell(word: str) -> str:
    return f'<td class="v {escape(word)}">{escape(word) or "-"}</td>'


def _facts(document: Document) -> str:
    device = document["device"]
    facts = {
        "verdict": document["verdict"],
        "dialect": document.get("dialect") or "none",
        **document["machine"],
        **device,
    }
    facts["features"] = (
        f"offered {document['features'].get('offered')}, accepted {document['features'].get('accepted')}"
    )
    facts["started"] = document.get("started", "")
    facts["simulated time"] = "yes" if document.get("simulated_time") else "no"
    for name, why in (("stopped", cut_off(document)), ("not offered", document.get("not_offered"))):
        if why:
            facts[name] = why
    rows = "".join(
        f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>" for name, value in facts.items()
    )
    notes = "".join(f"<li>{escape(str(remark))}</li>" for remark in document["remarks"])
    return f"<table>{rows}</table>" + (f"<ul>{notes}</ul>" if notes else "")


def _access(access: Document) -> str:
    sign = "->" if access.get("kind") == "read" else "<-"
    times = f"  x{access['repeated']}" if access.get("repeated") else ""
    why = f"  [{access['deviation']}]" if access.get("deviation") else ""
    return f"{access.get('time', 0):>14.6f}  {access.get('space', '')}.{access.get('register', '')} {sign} {access.get('value')}{times}{why}"


def _result(result: Document) -> str:
    details = "".join(
        f"<p><b>{name}:</b> {escape(result[name])}</p>" for name in ("expected", "observed") if result[name]
    )
    details += "".join(f"<p>{escape(str(remark))}</p>" for remark in result["remarks"])
    details += "".join(f"<p>The driver deviated on purpose: {escape(str(text))}</p>" for text in result["deviations"])
    trace = "\n".join(_access(access) for access in result["accesses"])
    evidence = json.dumps(result["evidence"], indent=1) if result["evidence"] else ""
    details += f"<pre>{escape(evidence)}</pre>" if evidence else ""
    details += f"<pre>{escape(trace)}</pre>" if trace else ""
    opened = " open" if result["verdict"] in ("FAIL", "ERROR") else ""
    return (
        f"<tr><td>{escape(result['id'])}</td>{_cell(result['verdict'])}<td>{escape(result['level'])}</td>"
        f"<td>{escape(result['text'])} <small>({escape(result['section'])})</small>"
        f"<details{opened}><summary>{escape(result['summary'])}</summary>{details}</details></td></tr>"
    )


def _histogram(kind: str, latency: Document) -> str:
    bins = latency.get("histogram") or []
    if not bins:
        return ""
    most, height = max(entry["count"] for entry in bins) or 1, 18
    bars = []
    for row, entry in enumerate(bins):
        y, width = row * height, 400 * entry["count"] / most
        text = f"{entry['from'] * 1e3:.3f} .. {entry['to'] * 1e3:.3f} ms: {entry['count']}"
        bars.append(
            f'<rect x="230" y="{y + 2}" width="{width:.1f}" height="{height - 4}" fill="#69c"/>'
            f'<text x="0" y="{y + 13}" font-size="12">{escape(text)}</text>'
        )
    words = ", ".join(f"{name} {latency[name] * 1e3:.3f} ms" for name in ("minimum", "median", "p90", "p99", "maximum"))
    return (
        f"<h3>{escape(kind)}: {latency['count']} times</h3><p>{words}</p>"
        f'<svg width="660" height="{height * len(bins)}" role="img">{"".join(bars)}</svg>'
    )


def _section(name: str, document: Document) -> str:
    rows = "".join(_result(result) for result in document["results"])
    head = "<tr><th>id</th><th>verdict</th><th>level</th><th>statement, and what was seen</th></tr>"
    graphs = "".join(_histogram(kind, latency) for kind, latency in document["latency"].items())
    return f"<h2>{escape(name)}</h2>{_facts(document)}<table>{head}{rows}</table>{graphs}"


def _matrix(documents: Sequence[Document], names: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = []
    for id_ in ids_of(documents):
        text = next((found["text"] for document in documents if (found := result_of(document, id_))), "")
        cells = "".join(_cell(verdict_of(document, id_)) for document in documents)
        rows.append(f"<tr><td>{escape(id_)}</td><td>{escape(text)}</td>{cells}</tr>")
    return f"<h2>Matrix</h2><table><tr><th>id</th><th>statement</th>{head}</tr>{''.join(rows)}</table>"


def render(documents: Sequence[Document]) -> str:
    """The page."""
    names = labels(documents)
    title = f"Device suspend: {names[0]}" if len(names) == 1 else f"Device suspend: {len(names)} devices compared"
    sections = "".join(_section(name, document) for name, document in zip(names, documents, strict=True))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{_matrix(documents, names)}{sections}</body></html>\n"
    )
