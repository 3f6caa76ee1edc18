"""Notifications in both directions, and ISR (2.7.7, 2.7.10, 2.8.10, 4.1.4.5): N rows."""

from __future__ import annotations

from .model import Statement, Unjudged

__all__ = ["ROWS", "UNJUDGED"]

ROWS: tuple[Statement, ...] = ()

UNJUDGED: tuple[Unjudged, ...] = ()
