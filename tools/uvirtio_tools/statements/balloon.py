"""Traditional memory balloons (5.5)."""

from __future__ import annotations

__all__: list[str] = []
