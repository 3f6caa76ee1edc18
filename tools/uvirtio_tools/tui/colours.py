"""What a terminal can show: millions of colours, sixteen, or none. Where there is none, what stands out is reversed."""

from __future__ import annotations

import os
import re

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

__all__ = ["ANSI_THEMES", "Colourless", "has_colours"]

#: Themes that leave a terminal its own colours, by the names that they have had in Textual.
ANSI_THEMES = ("ansi-dark", "textual-ansi")
#: Terminals without colours, by how terminfo names them (which Python asks for one terminal in a process only).
_WITHOUT = re.compile(r"(vt\d+|dumb|unknown|wy\d+|sun|adm\d)(?!.*color)|.*-(m|mono)$")
_DEFAULT = Style(color=RichColor.default(), bgcolor=RichColor.default())


def has_colours() -> bool:
    """Whether colours are wanted (NO_COLOR) and the terminal has them."""
    return not os.environ.get("NO_COLOR") and not _WITHOUT.match(os.environ.get("TERM") or "dumb")


class Colourless(LineFilter):
    """Takes colours away. A background that is not the terminal's own becomes reverse: a cursor is never lost."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """See :class:`~textual.filter.LineFilter`."""
        return [
            segment if segment.style is None else Segment(segment.text, _plain(segment.style), segment.control)
            for segment in segments
        ]


def _plain(style: Style) -> Style:
    ground = style.bgcolor
    plain = style + _DEFAULT
    if ground is None or ground.is_default:
        return plain
    return plain + Style(reverse=not style.reverse)
