"""Which changes are made: some of all, spread over the functions; and those that were looked at already."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from hashlib import sha256

from .changes import ROOT, Mutant

__all__ = ["LOOKED_AT", "choose", "reason_of"]

LOOKED_AT = ROOT / "tests/mutation/looked_at.toml"


def choose(mutants: Iterable[Mutant], count: int, seed: int) -> list[Mutant]:
    """So many: one of each function before a second of any.

    Each has a place of its own, by the seed and what it is, so that a change of the tree leaves the choice elsewhere as it is.
    """
    functions: defaultdict[tuple[str, str], list[Mutant]] = defaultdict(list)
    for mutant in sorted(mutants, key=lambda mutant: _place(mutant, seed)):
        functions[mutant.file, mutant.function].append(mutant)
    rounds = ((turn, _place(mutant, seed), mutant) for each in functions.values() for turn, mutant in enumerate(each))
    return [mutant for *_, mutant in sorted(rounds)[:count]]


def _place(mutant: Mutant, seed: int) -> bytes:
    known = (seed, mutant.file, mutant.function, mutant.line, mutant.change, mutant.nth)
    return sha256(repr(known).encode()).digest()


@cache
def _looked_at() -> dict[tuple[str, str, str, str, int], str]:
    entries = tomllib.loads(LOOKED_AT.read_text(encoding="utf-8")).get("mutant", [])
    return {
        (entry["file"], entry["function"], entry["line"], entry["change"], entry.get("nth", 0)):
        f"{entry['kind']}: {entry['why']}"
        for entry in entries
    }  # fmt: skip


def reason_of(mutant: Mutant) -> str:
    """Why nobody has to notice it: what kind of change it is, and the reason; empty where it was not looked at."""
    return _looked_at().get((mutant.file, mutant.function, mutant.line, mutant.change, mutant.nth), "")
