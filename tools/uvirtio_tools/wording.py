"""Counted things, as English has them."""

from __future__ import annotations

__all__ = ["counted", "times"]


def times(number: int) -> str:
    """``once``, or ``3 times``."""
    return "once" if number == 1 else f"{number} times"


def counted(number: int, word: str) -> str:
    """``1 transition``, or ``3 transitions``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
