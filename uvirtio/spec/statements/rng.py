"""Entropy devices (5.4): RNG rows."""

from __future__ import annotations

from .model import Statement

__all__ = ["ROWS"]

ROWS: tuple[Statement, ...] = ()
