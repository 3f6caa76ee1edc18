"""Input devices (5.8): INP rows."""

from __future__ import annotations

from .model import Statement

__all__ = ["ROWS"]

ROWS: tuple[Statement, ...] = ()
