"""Reading what may change meanwhile: again, until a generation counter says that it held still (virtio 1.4, 2.5.1)."""

from __future__ import annotations

from collections.abc import Callable

from .clock import Clock
from .wait import poll

__all__ = ["read_steady"]

#: Tries back to back before the first sleep: a change is over sooner than this, or it goes on.
_SPIN = 4


def read_steady(
    read: Callable[[], bytes], generation: Callable[[], int] | None, clock: Clock, timeout: float
) -> tuple[bytes, bool]:
    """What ``read`` gives with the generation the same before and after, and whether that came about within ``timeout`` s.

    Without a ``generation``, as on the legacy interface, two readings in a row have to agree (2.5.4).
    """
    attempt = _Attempt(read, generation)
    polled = poll(attempt, 0, (0, 1), clock, timeout, spin=_SPIN)
    return attempt.data, bool(polled.outcome)


class _Attempt:
    """Something to poll: 1 once a reading counts."""

    def __init__(self, read: Callable[[], bytes], generation: Callable[[], int] | None) -> None:
        self._read = read
        self._generation = generation
        self._first = True
        self.data = b""

    def __getitem__(self, _index: int) -> int:
        if self._generation is not None:
            before = self._generation()
            self.data = self._read()
            return int(self._generation() == before)
        earlier, first = self.data, self._first
        self.data, self._first = self._read(), False
        return int(not first and self.data == earlier)
