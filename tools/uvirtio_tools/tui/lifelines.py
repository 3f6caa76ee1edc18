"""The last suspends and resumes, a line each, to one scale: the write, reads that did not show it, the first that did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from ..wording import counted

__all__ = ["LEGEND", "drawn"]

LEGEND = "W write  - reads  ? it came about here  D first read that showed it"
_COLOURS = {"W": "bold", "-": "yellow", "?": "cyan", "D": "bold green", "!": "bold red", " ": ""}


def drawn(transitions: Sequence[dict[str, Any]], width: int, most: int = 4) -> Text:
    """The newest ``most`` transitions (as JSON objects of :class:`~uvirtio.suspend.Transition`), the newest last."""
    newest = list(transitions)[-most:]
    longest = max((float(each["seconds"]) for each in newest), default=0.0)
    lines = [_line(each, longest, width) for each in newest]
    return Text("\n").join(lines)


def _line(way: dict[str, Any], longest: float, width: int) -> Text:
    outcome = str(way["outcome"]).replace("_", " ")
    told = f" {float(way['seconds']) * 1e3:9.3f} ms {counted(int(way['reads']), 'read'):>10} {outcome}"
    text = Text(f"{way['kind']:<8}|")
    room = max(8, width - len(text) - len(told) - 2)
    for sign in _signs(way, longest, room):
        text.append(sign, style=_COLOURS[sign])
    return text.append("|").append(told)


def _signs(way: dict[str, Any], longest: float, room: int) -> str:
    scale = (room - 2) / longest if longest > 0 else 0.0
    end = 1 + round(float(way["seconds"]) * scale)
    after = min(end, 1 + round(float(way["after"]) * scale))
    done = way["outcome"] == "done"
    signs = "W" + "-" * (after - 1) + ("?" if done else "-") * (end - after) + ("D" if done else "!")
    return signs.ljust(room)
