"""Status, features, reset and the configuration of any device (2.1 to 2.5, 3.1, 4.1.4.3, 6.2): B rows."""

from __future__ import annotations

from .model import Statement, Unjudged

__all__ = ["ROWS", "UNJUDGED"]

ROWS: tuple[Statement, ...] = ()

UNJUDGED: tuple[Unjudged, ...] = ()
