"""Checks are functions beside the id of their statement; importing the modules of :data:`MODULES` registers them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from uvirtio.errors import UsageError
from uvirtio.spec.dialects import CHROMIUM, V1_4, Dialect
from uvirtio.spec.statements import STATEMENTS, Statement

from ..judging.verdict import Finding

if TYPE_CHECKING:
    from .bench import Bench

__all__ = ["Check", "check", "checks_for", "select"]

Check = Callable[["Bench"], Finding]

#: In the order in which their checks run: whether the device suspends and resumes at all comes first.
MODULES = (
    "transitions",
    "asleep",
    "draining",
    "configuration",
    "initial",
    "endings",
    "drafts",
    "silent",
    "stress",
    "duties",
    "same",
)

_CHECKS: dict[str, Check] = {}


def check(*ids: str) -> Callable[[Check], Check]:
    """Register a check for one statement (or for several that one look answers, each run by itself)."""

    def register(function: Check) -> Check:
        for id_ in ids:
            if id_ not in STATEMENTS or id_ in _CHECKS:
                raise ValueError(f"{id_}: no such statement, or it has a check already")
            _CHECKS[id_] = function
        return function

    return register


def _all() -> dict[str, Check]:
    for module in MODULES:
        import_module(f"{__package__}.{module}")
    return _CHECKS


def select(only: Iterable[str]) -> list[str]:
    """The ids that were asked for, upper case, in the catalogue's order; nothing asked for is everything.

    ``D``, ``V`` … stand for a whole family. Raises :class:`UsageError` for an id that there is not.
    """
    wanted: set[str] = set()
    for word in (word.strip().upper() for word in only):
        family = [id_ for id_ in STATEMENTS if id_.rstrip("0123456789") == word]
        if not family and word not in STATEMENTS:
            raise UsageError(
                f"there is no statement {word!r}; there are {', '.join(STATEMENTS)} (uvirtio check --list)"
            )
        wanted.update(family or [word])
    return [id_ for id_ in STATEMENTS if not wanted or id_ in wanted]


def applies(statement: Statement, dialect: Dialect) -> bool:
    """Whether a statement is looked at for a device of this dialect: its own, and virtio 1.4's for Chromium."""
    if dialect.name in statement.dialects:
        return True
    return dialect is CHROMIUM and V1_4.name in statement.dialects and not statement.id.startswith(("I", "D"))


def checks_for(ids: Iterable[str], dialect: Dialect) -> list[tuple[Statement, Check]]:
    """What to run, in order: the dangerous ones late, what judges the whole run last."""
    registered = _all()
    wanted = [id_ for id_ in registered if id_ in set(ids) and applies(STATEMENTS[id_], dialect)]
    return [(STATEMENTS[id_], registered[id_]) for id_ in sorted(wanted, key=lambda id_: STATEMENTS[id_].order)]
