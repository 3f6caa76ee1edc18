"""Network devices (5.1)."""

from __future__ import annotations

__all__: list[str] = []
