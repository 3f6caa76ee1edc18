"""Faults of NET statements: network devices (5.1)."""

from __future__ import annotations

__all__ = ["FAULTS"]

FAULTS: dict[str, tuple[type, ...]] = {}
