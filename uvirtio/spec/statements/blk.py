"""Block devices (5.2): BLK rows."""

from __future__ import annotations

from .model import Statement

__all__ = ["ROWS"]

ROWS: tuple[Statement, ...] = ()
