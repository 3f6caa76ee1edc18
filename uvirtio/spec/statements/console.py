"""Consoles (5.3): CON rows."""

from __future__ import annotations

from .model import Statement

__all__ = ["ROWS"]

ROWS: tuple[Statement, ...] = ()
