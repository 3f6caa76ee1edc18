"""One self-contained HTML page: the verdict, the stories of what is not as it should be, the matrix, the run."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from uvirtio.spec.statements import CHAPTERS

from ..judging.verdict import VERDICTS
from .document import Document, ids_of, labels, result_of, results_of, verdict_of
from .dress import POLICY, SCRIPT, STYLE
from .phrases import about, device_of, facts, seconds, sentence
from .story import anchor, badge, story

__all__ = ["render"]

#: Verdicts that have a story, from what says most against the device.
_TOLD = ("FAIL", "ERROR", "WARN")
_CHAPTER = {id_: name for name, ids in CHAPTERS.items() for id_ in ids}


def _banner(document: Document, name: str, *, several: bool) -> str:
    word, tag = escape(document["verdict"]), "h2" if several else "h1"
    title = f"<{tag}>{escape(name if several else document['locator'])}</{tag}>"
    return (
        f'<section class="verdict {word}">{title}<div class="word">{word}</div><p>{escape(sentence(document))}</p>'
        f'<p class="small">{escape(about(document))}. {escape(device_of(document))}, {escape(str(document.get("started") or ""))}</p></section>'
    )


def _stories(document: Document, number: int, name: str) -> str:
    told = [each for word in _TOLD for each in results_of(document) if each["verdict"] == word]
    if not told:
        return ""
    head = "What is not as it should be" if not name else f"What is not as it should be: {name}"
    return f"<h2>{escape(head)}</h2>" + "".join(story(each, number) for each in told)


def _target(document: Document, id_: str, number: int) -> str:
    return anchor(id_, number) if verdict_of(document, id_) in _TOLD else ""


def _row(id_: str, documents: Sequence[Document]) -> str:
    found = [result_of(document, id_) for document in documents]
    first = next(result for result in found if result is not None)
    words = [verdict_of(document, id_) for document in documents]
    worst = next((word for word in (*_TOLD, "PASS", "INFO", "SKIP") if word in words), "SKIP")
    same = " same" if len(set(words)) == 1 else ""
    cells = "".join(
        f"<td>{badge(word, _target(document, id_, number))}</td>"
        for number, (word, document) in enumerate(zip(words, documents, strict=True), 1)
    )
    text = f"{escape(first['text'])} <small>{escape(first['section'])}</small>"
    if len(documents) == 1:
        text += f'<br><span class="small">{escape(first["summary"])}</span>'
        notes = [*first["remarks"], *first["deviations"]] if worst not in _TOLD else []
        if notes:
            items = "".join(f"<li>{escape(str(note))}</li>" for note in notes)
            text += f"<details><summary>remarks</summary><ul>{items}</ul></details>"
    return (
        f'<tr id="{escape(id_)}" class="{worst}{same}"><td><a href="#{escape(id_)}">{escape(id_)}</a></td>{cells}'
        f'<td class="text">{text}</td></tr>'
    )


def _filters(words: set[str], *, several: bool) -> str:
    boxes = "".join(
        f'<label><input type="checkbox" id="f-{word}" checked> {word}</label>' for word in VERDICTS if word in words
    )
    if several:
        boxes += '<label><input type="checkbox" id="f-same"> differences only</label>'
    return f'<form class="filters">{boxes}<input type="search" id="find" placeholder="find (press /)" aria-label="find"></form>'


def _matrix(documents: Sequence[Document], names: Sequence[str]) -> str:
    ids = ids_of(documents)
    words = {verdict_of(document, id_) for document in documents for id_ in ids} - {""}
    several = len(documents) > 1
    columns = "".join(f"<th>{escape(name)}</th>" for name in names) if several else "<th>verdict</th>"
    what = "statement" if several else "statement, and what was seen"
    bodies, span = [], len(documents) + 2
    for chapter in dict.fromkeys(_CHAPTER.get(id_, "the run") for id_ in ids):
        rows = "".join(_row(id_, documents) for id_ in ids if _CHAPTER.get(id_, "the run") == chapter)
        bodies.append(f'<tbody><tr><th colspan="{span}">{escape(chapter)}</th></tr>{rows}</tbody>')
    return (
        f'<h2>Every statement</h2>{_filters(words, several=several)}<div class="wide"><table id="matrix" class="{"many" if several else "one"}">'
        f"<thead><tr><th>id</th>{columns}<th>{what}</th></tr></thead>{''.join(bodies)}</table></div>"
    )


def _histogram(kind: str, latency: Document) -> str:
    bins = latency.get("histogram") or []
    if not bins:
        return ""
    most, height = max(entry["count"] for entry in bins) or 1, 18
    bars = []
    for row, entry in enumerate(bins):
        y, width = row * height, 300 * entry["count"] / most
        text = f"{seconds(entry['from'])} to {seconds(entry['to'])}: {entry['count']}"
        bars.append(
            f'<rect x="190" y="{y + 2}" width="{width:.1f}" height="{height - 4}"/><text x="0" y="{y + 13}">{escape(text)}</text>'
        )
    words = ", ".join(f"{name} {seconds(latency[name])}" for name in ("minimum", "median", "p90", "p99", "maximum"))
    return (
        f"<h3>{escape(kind)}: {latency['count']} times</h3><p>{escape(words)}</p><figure>"
        f'<svg class="bars" width="500" height="{height * len(bins)}" role="img" aria-label="{escape(words)}">{"".join(bars)}</svg></figure>'
    )


def _run(document: Document, name: str) -> str:
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(words)}</dd>" for key, words in facts(document).items())
    notes = "".join(f"<li>{escape(str(remark))}</li>" for remark in document["remarks"])
    graphs = "".join(_histogram(kind, latency) for kind, latency in document["latency"].items())
    head = "The run" if not name else f"The run: {name}"
    return f"<h2>{escape(head)}</h2><dl>{rows}</dl>" + (f"<ul>{notes}</ul>" if notes else "") + graphs


def render(documents: Sequence[Document]) -> str:
    """The page."""
    names, several = labels(documents), len(documents) > 1
    title = f"{documents[0]['verdict']}: {names[0]}" if not several else f"{len(names)} devices compared"
    banners = "".join(_banner(document, name, several=several) for document, name in zip(documents, names, strict=True))
    if several:
        banners = f'<h1>{escape(title)}</h1><div class="cards">{banners}</div>'
    shown = [name if several else "" for name in names]
    stories = "".join(
        _stories(document, number, name)
        for number, (document, name) in enumerate(zip(documents, shown, strict=True), 1)
    )
    runs = "".join(_run(document, name) for document, name in zip(documents, shown, strict=True))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}"><title>{escape(title)}</title><style>{STYLE}</style></head>'
        f"<body>{banners}{stories}{_matrix(documents, names)}{runs}<script>{SCRIPT}</script></body></html>\n"
    )
