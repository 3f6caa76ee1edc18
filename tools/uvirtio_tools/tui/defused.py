"""Words of others on the screen: Textual takes markup, and hands to the terminal what is in a text."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from rich.segment import Segment
from rich.text import Text
from textual.color import Color
from textual.filter import LineFilter

from uvirtio.foreign import printable

__all__ = ["Defused", "cells"]


def cells(texts: Iterable[str]) -> list[Text]:
    """A row of a table, whose words are no markup."""
    return [Text(printable(text)) for text in texts]


class Defused(LineFilter):
    """What is about to be drawn, less all that a terminal acts on; everything else keeps its place."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """See :class:`~textual.filter.LineFilter`."""
        return [
            segment
            if segment.control or segment.text.isprintable()
            else Segment("".join(map(_sign, segment.text)), segment.style)
            for segment in segments
        ]


def _sign(sign: str) -> str:
    if sign.isprintable():
        return sign
    return " " * cell_len(sign) if sign.isspace() else "?" * cell_len(sign)
