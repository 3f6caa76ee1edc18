"""Input devices (5.8)."""

from __future__ import annotations

__all__: list[str] = []
