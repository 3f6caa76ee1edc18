"""Where a report goes: to standard output, in the width and colours of its terminal, or to a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from ..named_files import write_text
from . import render
from .document import Document

__all__ = ["Output", "emit", "show"]


class Output(NamedTuple):
    """A result in one format: into a file, or (None) to standard output. ``detail`` as :func:`~.terminal.render` takes it."""

    format: str
    path: str | None = None
    detail: int = 0


def emit(text: str, path: str | None) -> None:
    """Write a report to its file, or to standard output."""
    if path is not None:
        write_text("--output", path, text)
        return
    sys.stdout.write(text)
    sys.stdout.flush()


def show(documents: Sequence[Document], outputs: Sequence[Output]) -> None:
    """Render and write, each format to its place."""
    for output in outputs:
        _show(documents, output)


def _show(documents: Sequence[Document], output: Output) -> None:
    format_, path = output.format, output.path
    terminal = path is None and sys.stdout.isatty()
    width = None
    if terminal:
        width = os.get_terminal_size(sys.stdout.fileno()).columns or None
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = "utf-8" if path is not None else (sys.stdout.encoding or "utf-8")
    plain = encoding.lower() not in ("utf-8", "utf8")
    text = render(documents, format_, width=width, colour=colour, plain=plain, detail=output.detail)
    if plain:
        # A terminal of another encoding gets what it can show.
        text = text.encode(encoding, errors="replace").decode(encoding)
    emit(text, path)
