"""Virtqueues of either format, and queue reset (2.6 to 2.8, 6.2)."""

from __future__ import annotations

__all__: list[str] = []
