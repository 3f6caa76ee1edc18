"""Notifications in both directions, and ISR (2.7.7, 2.7.10, 2.8.10, 4.1.4.5)."""

from __future__ import annotations

__all__: list[str] = []
