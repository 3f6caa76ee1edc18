"""Faults of X statements: what a device has to survive although no driver may do it."""

from __future__ import annotations

__all__ = ["FAULTS"]

FAULTS: dict[str, tuple[type, ...]] = {}
