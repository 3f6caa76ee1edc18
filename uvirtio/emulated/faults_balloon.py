"""Faults of BAL statements: traditional memory balloons (5.5)."""

from __future__ import annotations

__all__ = ["FAULTS"]

FAULTS: dict[str, tuple[type, ...]] = {}
