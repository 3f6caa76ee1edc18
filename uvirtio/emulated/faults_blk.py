"""Faults of BLK statements: block devices (5.2)."""

from __future__ import annotations

__all__ = ["FAULTS"]

FAULTS: dict[str, tuple[type, ...]] = {}
