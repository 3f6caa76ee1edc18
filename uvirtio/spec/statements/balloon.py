"""Traditional memory balloons (5.5): BAL rows."""

from __future__ import annotations

from .model import Statement, Unjudged

__all__ = ["ROWS", "UNJUDGED"]

ROWS: tuple[Statement, ...] = ()

UNJUDGED: tuple[Unjudged, ...] = ()
