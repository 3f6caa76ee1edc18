"""Statements: what is true of a history. Pure functions over its windows, by chapter.

Each yields, for a window, whether the statement was kept, broken, or had no occasion. The entry-point group
``uvirtio.statements`` names modules of other packages that register more by :func:`judges`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache

from uvirtio.errors import UsageError
from uvirtio.plugins import import_registering
from uvirtio.spec.statements import APART, CHAPTERS, CORE, STATEMENTS

from ..judging.history import Window
from ..judging.judge import Judgement
from ..judging.observation import Observation

__all__ = ["every_judgement", "judges", "select"]

_MODULES = (
    "transitions",
    "asleep",
    "draining",
    "configuration",
    "initial",
    "endings",
    "drafts",
    "unspecified",
    "driver",
    "whole",
    "offers",
    "basic",
    "queues",
    "notifications",
    "pci",
    "messages",
    "rng",
    "blk",
    "net",
    "console",
    "balloon",
    "input",
    "robustness",
    "survive",
    "survive_told",
    "survive_registers",
)
_GROUP = "uvirtio.statements"

_REGISTERED: dict[str, Callable[[], Judgement]] = {}

Function = Callable[[Window], Iterator[Observation]]


def judges(*ids: str) -> Callable[[Function], Function]:
    """Register a function as the judgement of a statement, or of several alike.

    Raises :class:`ValueError` for an id that the catalogue does not have, or that has a judgement already.
    """

    def register(function: Function) -> Function:
        for id_ in ids:
            register_factory(id_, lambda: function)
        return function

    return register


def register_factory(id_: str, make: Callable[[], Judgement]) -> None:
    """Register what makes a judgement for one run: for those that remember something from one window to the next."""
    if id_ not in STATEMENTS or id_ in _REGISTERED:
        raise ValueError(f"{id_}: no such statement, or it has a judgement already")
    _REGISTERED[id_] = make


@cache
def _load() -> None:
    import_registering(__name__, _MODULES, _GROUP)


def every_judgement() -> dict[str, Callable[[], Judgement]]:
    """id -> what makes its judgement, in the catalogue's order: what a report says depends on no order of imports."""
    _load()
    return {id_: _REGISTERED[id_] for id_ in STATEMENTS if id_ in _REGISTERED}


def select(only: Iterable[str], skip: Iterable[str] = ()) -> list[str]:
    """The ids that were asked for, less those to skip, in the catalogue's order; nothing asked for is everything but :data:`APART`.

    A word is an id, the letters of a family (``V``), or the name of a chapter (``pci``) or of several (``core``).
    Raises :class:`UsageError` for a word that is none of these.
    """
    _load()
    wanted = {id_ for word in only for id_ in _meant(word)} or _usual()
    wanted -= {id_ for word in skip for id_ in _meant(word)}
    return [id_ for id_ in STATEMENTS if id_ in wanted]


def _usual() -> set[str]:
    return set(STATEMENTS) - {id_ for chapter in APART for id_ in CHAPTERS[chapter]}


def _meant(word: str) -> list[str]:
    name, letters = word.strip().lower(), word.strip().upper()
    if name == "core":
        return [id_ for chapter in CORE for id_ in CHAPTERS.get(chapter, ())]
    if name in CHAPTERS:
        return CHAPTERS[name]
    family = [id_ for id_ in STATEMENTS if id_.rstrip("0123456789") == letters]
    if not family and letters not in STATEMENTS:
        raise UsageError(
            f"there is no statement {word.strip()!r}, and no chapter of that name; the chapters are core, "
            f"{', '.join(CHAPTERS)} (uvirtio check --list shows the statements)"
        )
    return family or [letters]
