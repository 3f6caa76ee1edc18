"""Block devices (5.2)."""

from __future__ import annotations

__all__: list[str] = []
