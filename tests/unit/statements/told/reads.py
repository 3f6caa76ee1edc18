"""Histories in which something is read once, and that is all."""

from __future__ import annotations

import json
from typing import Any

from uvirtio_tools.judging.observation import Kind

from ..table import tells
from ..tale import Tale

__all__ = ["reading", "written"]


def written(value: object) -> str:
    """A value as a history has it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def reading(
    id_: str, kind: Kind, said: str, *reads: tuple[str, Any], breaks: str | None = None, verdict: str = ""
) -> None:
    """A history about a statement whose scenario reads these, by name, one after the other."""

    def tell(tale: Tale) -> None:
        with tale.scenario("what is read", id_):
            for name, value in reads:
                tale.reads(name, written(value))

    tell.__name__ = f"reads_{len(reads)}_for_{said[:40]}"
    tells(id_, kind, said, breaks=breaks, verdict=verdict)(tell)
