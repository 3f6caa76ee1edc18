"""Faults of CON statements: consoles (5.3)."""

from __future__ import annotations

__all__ = ["FAULTS"]

FAULTS: dict[str, tuple[type, ...]] = {}
