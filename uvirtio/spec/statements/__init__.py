"""The catalogue of statements: what virtio 1.4 demands and a guest can see.

One source: the conformance checks, ``uvirtio check --list``, the reports and the documentation table are made from
it. The wording is this project's own; ``section`` says where the specification has it. One module per chapter; the letters of
an id say which, and an id is never given to another statement.
"""

from __future__ import annotations

from . import balloon, basic, blk, console, input, net, notifications, pci, queues, rng, robustness, suspend
from .model import Level, Need, Side, Statement

__all__ = ["BLAMED", "CHAPTERS", "CORE", "STATEMENTS", "Level", "Need", "Side", "Statement", "register"]

#: id -> statement, in the order of reports.
STATEMENTS: dict[str, Statement] = {}
#: Name of a chapter -> ids of its statements.
CHAPTERS: dict[str, list[str]] = {}
#: Name of a rule -> the statement that whoever breaks it has broken.
BLAMED: dict[str, str] = {}
#: The chapters that are about every device.
CORE = ("basic", "queues", "notifications", "pci")


def register(chapter: str, *rows: Statement) -> None:
    """Add statements to a chapter, of other packages and the like. Raises :class:`ValueError` for an id that there is."""
    for row in rows:
        if row.id in STATEMENTS:
            raise ValueError(f"there is a statement {row.id} already")
        STATEMENTS[row.id] = row
        if row.rule:
            BLAMED[row.rule] = row.id
        CHAPTERS.setdefault(chapter, []).append(row.id)


register("suspend", *suspend.ROWS)
register("basic", *basic.ROWS)
register("queues", *queues.ROWS)
register("notifications", *notifications.ROWS)
register("pci", *pci.ROWS)
register("rng", *rng.ROWS)
register("blk", *blk.ROWS)
register("net", *net.ROWS)
register("console", *console.ROWS)
register("balloon", *balloon.ROWS)
register("input", *input.ROWS)
register("robustness", *robustness.ROWS)
