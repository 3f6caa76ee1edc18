"""Virtqueues of either format, and queue reset (2.6 to 2.8, 6.2): Q rows."""

from __future__ import annotations

from .model import Statement, Unjudged

__all__ = ["ROWS", "UNJUDGED"]

ROWS: tuple[Statement, ...] = ()

UNJUDGED: tuple[Unjudged, ...] = ()
