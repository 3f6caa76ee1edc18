"""Bytes as decisions, so that whoever mutates bytes mutates what is done."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, TypeVar

__all__ = ["Choices", "odd"]

T = TypeVar("T")

#: Values that stand where others are expected.
_ODD: list[Any] = [
    None, True, False, 0, -1, 1, 1 << 31, 1 << 64, -(1 << 64), 10**400, 0.0, -0.5, 1e308, float("inf"), float("nan"), "", "x",
    "0x0", "-1", "0x" + "f" * 40, "PASS", "[/]", "\x1b[2J", "\ud800", "\x00", [], {}, [[]], [None], {"": None}, [{}, {}],
    {"count": 1}, {"count": "x"}, "V1", "a\nb",
]  # fmt: skip


class Choices(random.Random):
    """A source of decisions: bytes while there are some, then zeros. ``left``: how many there still are."""

    def __new__(cls, data: bytes) -> Choices:
        return super().__new__(cls)

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return max(0, len(self._data) - self._at)

    def take(self, count: int) -> bytes:
        """The next bytes."""
        piece = self._data[self._at : self._at + count]
        self._at += count
        return piece.ljust(count, b"\0")

    def getrandbits(self, k: int) -> int:
        return int.from_bytes(self.take((k + 7) // 8), "little") & (1 << k) - 1

    def random(self) -> float:
        return self.getrandbits(16) / (1 << 16)

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        numbers = range(start) if stop is None else range(start, stop, step)
        return numbers[self.getrandbits(32 if len(numbers) > 256 else 8) % len(numbers)]

    def choice(self, seq: Sequence[T]) -> T:
        return seq[self.randrange(len(seq))]

    def blob(self, most: int) -> bytes:
        """Some bytes."""
        return self.take(self.randrange(most + 1))


def odd(choose: Choices) -> Any:
    """A value that is not expected where it stands."""
    return choose.choice(_ODD)
