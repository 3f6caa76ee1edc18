"""The story of one statement as HTML: what was expected, what was observed, a timeline, and what it rests on."""

from __future__ import annotations

from html import escape

from .document import Document
from .drawing import draw
from .phrases import evidence, moments_of

__all__ = ["accesses", "anchor", "badge", "story"]


def anchor(id_: str, number: int) -> str:
    """Where the story of a statement of the result ``number`` (from 1) stands."""
    return f"story-{id_}" if number == 1 else f"story-{number}-{id_}"


def badge(word: str, target: str = "") -> str:
    """A verdict; ``target``: the place that it leads to."""
    if not word:
        return "–"
    if target:
        return f'<a class="badge {escape(word)}" href="#{escape(target)}">{escape(word)}</a>'
    return f'<span class="badge {escape(word)}">{escape(word)}</span>'


def _access(access: Document) -> str:
    sign = "→" if access.get("kind") == "read" else "←"
    times = f" ×{access['repeated']}" if access.get("repeated") else ""
    why = f" [{access['deviation']}]" if access.get("deviation") else ""
    place = f"{access.get('space', '')}.{access.get('register', '')}"
    # A line each, whatever a file says.
    line = f"{place} {sign} {access.get('value', '')}{times}{why}"
    return f"{access.get('time', 0):>14.6f}  {' '.join(line.split())}"


def accesses(result: Document) -> str:
    """The accesses before, as text: a read gives its value (→), a write takes it (←)."""
    return "\n".join(_access(access) for access in result["accesses"])


def story(result: Document, number: int) -> str:
    """One statement that speaks against the device."""
    word = result["verdict"]
    told = [f'<article class="story {escape(word)}" id="{escape(anchor(result["id"], number))}"><header>']
    told.append(f'<h3><a href="#{escape(result["id"])}">{escape(result["id"])}</a></h3>{badge(word)}')
    told.append(f"<strong>{escape(result['summary'])}</strong></header>")
    if result["text"]:
        told.append(
            f"<p>{escape(result['text'])} <small>{escape(result['level'])}, {escape(result['section'])}</small></p>"
        )
    told.append('<div class="both">')
    for name in ("expected", "observed"):
        if result[name]:
            told.append(f'<div class="{name}"><span class="what">{name}</span>{escape(result[name])}</div>')
    told.append("</div>")
    if figure := draw(moments_of(result)):
        told.append(
            f"<figure>{figure}<figcaption>To one scale; // leaves out a time in which nothing happened, as long as stands below it. Registers and ISR: writes above "
            "the line, reads below. Ring: ▲ made available, ▼ used. Dashed: a look at the rings. Each mark tells what it is.</figcaption></figure>"
        )
    told.append(more(result))
    told.append("</article>")
    return "".join(told)


def more(result: Document) -> str:
    """Remarks, deviations, evidence and accesses."""
    notes = [str(remark) for remark in result["remarks"]]
    notes += [f"The driver deviated on purpose: {text}" for text in result["deviations"]]
    found = "".join(f"<li>{escape(note)}</li>" for note in notes)
    found = f'<ul class="small">{found}</ul>' if found else ""
    groups = []
    for name, pairs in evidence(result["evidence"]):
        rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(words)}</dd>" for key, words in pairs)
        groups.append(f"{f'<h4>{escape(name)}</h4>' if name else ''}<dl>{rows}</dl>")
    if groups:
        found += f"<details><summary>What it rests on</summary>{''.join(groups)}</details>"
    if text := accesses(result):
        found += f"<details><summary>The last {len(result['accesses'])} accesses before</summary><pre>{escape(text)}</pre></details>"
    return found
