"""What waits for the driver to take it, within a budget: whoever fills it is not who empties it."""

from __future__ import annotations

from collections import deque

__all__ = ["Backlog"]

#: What a thing costs besides its bytes.
_OVERHEAD = 64


class Backlog:
    """Byte strings in order, at most ``most`` bytes of memory.

    From half of that on it is ``crowded``: a source that can wait does so. What comes beyond it is refused.
    """

    STATE = ("_bytes", "_items")

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0
        self._items: deque[bytes] = deque()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def crowded(self) -> bool:
        """Whether nothing more should be asked for."""
        return 2 * self._bytes >= self._most

    def append(self, item: bytes) -> bool:
        """One more; False when there is no room for it, and it is lost."""
        cost = len(item) + _OVERHEAD
        if self._bytes + cost > self._most:
            return False
        self._items.append(item)
        self._bytes += cost
        return True

    def popleft(self) -> bytes:
        """The oldest, which is gone from here then."""
        item = self._items.popleft()
        self._bytes -= len(item) + _OVERHEAD
        return item

    def clear(self) -> None:
        """Lose everything."""
        self._items.clear()
        self._bytes = 0
