"""Faults of B statements: status, features, reset and the configuration of any device (2.1 to 2.5, 3.1, 4.1.4.3, 6.2)."""

from __future__ import annotations

__all__ = ["FAULTS"]

FAULTS: dict[str, tuple[type, ...]] = {}
