"""Where a report goes: to standard output, in the width and colours of its terminal, or to a file."""

from __future__ import annotations

import os
import sys

from ..named_files import write_text
from . import render

__all__ = ["emit", "show"]


def emit(text: str, path: str | None) -> None:
    """Write a report to its file, or to standard output."""
    if path is not None:
        write_text("--output", path, text)
        return
    sys.stdout.write(text)
    sys.stdout.flush()


def show(documents: list[dict[str, object]], format_: str, path: str | None) -> None:
    """Render and write."""
    terminal = path is None and sys.stdout.isatty()
    width = None
    if terminal:
        width = os.get_terminal_size(sys.stdout.fileno()).columns or None
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = "utf-8" if path is not None else (sys.stdout.encoding or "utf-8")
    plain = encoding.lower() not in ("utf-8", "utf8")
    text = render(documents, format_, width=width, colour=colour, plain=plain)
    if plain:
        # A terminal of another encoding gets what it can show.
        text = text.encode(encoding, errors="replace").decode(encoding)
    emit(text, path)
