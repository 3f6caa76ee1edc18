"""Counted things, as English has them."""

from __future__ import annotations

__all__ = ["times"]


def times(number: int) -> str:
    """``once``, or ``3 times``."""
    return "once" if number == 1 else f"{number} times"
