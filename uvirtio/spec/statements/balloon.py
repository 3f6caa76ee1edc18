"""Traditional memory balloons (5.5): BAL rows."""

from __future__ import annotations

from .model import Statement

__all__ = ["ROWS"]

ROWS: tuple[Statement, ...] = ()
