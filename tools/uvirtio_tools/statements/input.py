"""Input devices: queries (5.8.5.2)."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.spec.statements import STATEMENTS

from ..judging import names
from ..judging.history import Window
from ..judging.observation import Observation, broken, kept
from . import judges
from .common import records

__all__: list[str] = []


@judges("INP1")
def answers_nothing(window: Window) -> Iterator[Observation]:
    """After a query that is answered, one that is not defined has no answer."""
    found = records(window, names.QUERY, 3)
    if wrong := [f"select {select:#x}: size {size}" for select, _, size in found if size]:
        yield broken("a query that is not defined is answered", STATEMENTS["INP1"].text, "; ".join(wrong))
    elif any(known for _, known, _ in found):
        yield kept(f"{len(found)} queries that are not defined have size 0")
