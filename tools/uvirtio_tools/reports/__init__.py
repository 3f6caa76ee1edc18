"""Reports from result documents: one format per module, each imported when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from uvirtio.errors import UsageError
from uvirtio.foreign import printable

from .document import Document, load

__all__ = ["FORMATS", "Document", "load", "render"]

#: format -> module of this package that has ``render(documents)``.
FORMATS = {"rich": "terminal", "json": "data", "junit": "junit", "tap": "ktap", "markdown": "markdown", "html": "html"}


def render(
    documents: Sequence[Document],
    format_: str,
    *,
    width: int | None = None,
    colour: bool = False,
    plain: bool = False,
    detail: int = 0,
) -> str:
    """One result, or the comparison of several, as text. ``width``, ``colour``, ``plain`` (ASCII) and ``detail`` are for ``rich``."""
    if format_ not in FORMATS:
        raise UsageError(f"there is no format {format_!r}; there are {', '.join(FORMATS)}")
    if format_ != "json":  # which says all of it, and cannot be mistaken
        documents = [_shown(document) for document in documents]
    if format_ == "rich":
        from .terminal import render as render_terminal

        return render_terminal(documents, width=width, colour=colour, plain=plain, detail=detail)
    text: str = import_module(f"{__name__}.{FORMATS[format_]}").render(documents)
    return text


def _shown(value: Any) -> Any:
    """A document in whose words nothing is left that steers a terminal, or begins a line of the report."""
    if isinstance(value, str):
        return printable(value, lines=True)
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    if isinstance(value, dict):
        return {_shown(str(name)): _shown(item) for name, item in value.items()}
    return value
