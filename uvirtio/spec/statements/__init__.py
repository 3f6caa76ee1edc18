"""The catalogue of statements: what virtio 1.4 demands and a guest can see.

One source: the conformance checks, ``uvirtio check --list``, the reports and the documentation table are made from
it. The wording is this project's own; ``section`` says where the specification has it. One module per chapter; the letters of
an id say which, and an id is never given to another statement.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import balloon, basic, blk, console, input, net, notifications, pci, queues, rng, robustness, survive, suspend
from .model import Level, Need, Side, Statement, Unjudged

__all__ = [
    "APART", "BLAMED", "CHAPTERS", "CORE", "STATEMENTS", "UNJUDGED", "Level", "Need", "Side", "Statement", "Unjudged", "register",
]  # fmt: skip

#: id -> statement, in the order of reports.
STATEMENTS: dict[str, Statement] = {}
#: Name of a chapter -> ids of its statements.
CHAPTERS: dict[str, list[str]] = {}
#: Sentence -> why there is no statement for it.
UNJUDGED: dict[str, Unjudged] = {}
#: Name of a rule -> the statement that whoever breaks it has broken.
BLAMED: dict[str, str] = {}
#: The chapters that are about every device.
CORE = ("basic", "queues", "notifications", "pci")
#: Chapters that are judged where they are asked for by name alone: something has to happen to the whole machine.
APART = ("survive",)


def register(chapter: str, *rows: Statement, unjudged: Iterable[Unjudged] = ()) -> None:
    """Add statements to a chapter, of other packages and the like. Raises :class:`ValueError` for an id that there is."""
    UNJUDGED.update((row.sentence, row) for row in unjudged)
    for row in rows:
        if row.id in STATEMENTS:
            raise ValueError(f"there is a statement {row.id} already")
        STATEMENTS[row.id] = row
        if row.rule:
            BLAMED[row.rule] = row.id
        CHAPTERS.setdefault(chapter, []).append(row.id)


register("suspend", *suspend.ROWS)
register("basic", *basic.ROWS, unjudged=basic.UNJUDGED)
register("queues", *queues.ROWS, unjudged=queues.UNJUDGED)
register("notifications", *notifications.ROWS, unjudged=notifications.UNJUDGED)
register("pci", *pci.ROWS, unjudged=pci.UNJUDGED)
register("rng", *rng.ROWS, unjudged=rng.UNJUDGED)
register("blk", *blk.ROWS, unjudged=blk.UNJUDGED)
register("net", *net.ROWS, unjudged=net.UNJUDGED)
register("console", *console.ROWS, unjudged=console.UNJUDGED)
register("balloon", *balloon.ROWS, unjudged=balloon.UNJUDGED)
register("input", *input.ROWS, unjudged=input.UNJUDGED)
register("robustness", *robustness.ROWS, unjudged=robustness.UNJUDGED)
register("survive", *survive.ROWS, unjudged=survive.UNJUDGED)
