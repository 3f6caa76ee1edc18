"""Reading what may change meanwhile: again, until a generation counter says that it held still (virtio 1.4, 2.5.1)."""

from __future__ import annotations

from collections.abc import Callable

from .clock import Clock
from .wait import YES, poll

__all__ = ["read_steady"]

#: Tries back to back before the first sleep: a change is over sooner than this, or it goes on.
_SPIN = 4


def read_steady(
    read: Callable[[], bytes], generation: Callable[[], int] | None, clock: Clock, timeout: float
) -> tuple[bytes, bool]:
    """What ``read`` gives with the generation the same before and after, and whether that came about within ``timeout`` s.

    Without a ``generation``, as on the legacy interface, two readings in a row have to agree (2.5.4).
    """
    data: bytes | None = None

    def counts() -> bool:
        nonlocal data
        if generation is not None:
            before = generation()
            data = read()
            return generation() == before
        earlier, data = data, read()
        return data == earlier

    polled = poll(counts, YES, clock, timeout, spin=_SPIN)
    return data or b"", bool(polled.outcome)
