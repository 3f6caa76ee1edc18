"""The catalogue of statements: what virtio 1.4 demands and a guest can see.

One source: the conformance checks, ``uvirtio check --list``, the reports and the documentation table are made from
it. The wording is this project's own; ``section`` says where the specification has it. One module per chapter; the letters of
an id say which, and an id is never given to another statement.
"""

from __future__ import annotations

from . import suspend
from .model import Level, Need, Side, Statement

__all__ = ["CHAPTERS", "CORE", "STATEMENTS", "Level", "Need", "Side", "Statement", "register"]

#: id -> statement, in the order of reports.
STATEMENTS: dict[str, Statement] = {}
#: Name of a chapter -> ids of its statements.
CHAPTERS: dict[str, list[str]] = {}
#: The chapters that are about every device.
CORE = ("basic", "queues", "pci")


def register(chapter: str, *rows: Statement) -> None:
    """Add statements to a chapter, of other packages and the like. Raises :class:`ValueError` for an id that there is."""
    for row in rows:
        if row.id in STATEMENTS:
            raise ValueError(f"there is a statement {row.id} already")
        STATEMENTS[row.id] = row
        CHAPTERS.setdefault(chapter, []).append(row.id)


register("suspend", *suspend.ROWS)
