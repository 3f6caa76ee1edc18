"""How long a machine or a device is away when its host side is asked to stop or to move it."""

from __future__ import annotations

from ..errors import CannotRun

__all__ = ["time_away"]

#: Seconds, at most.
_LONGEST = 3600.0


def time_away(seconds: object) -> float:
    """The argument ``seconds`` of an event, checked. Raises :class:`CannotRun`."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LONGEST:
        raise CannotRun(f"seconds={seconds!r} is no time from 0 to {_LONGEST:g} s")
    return seconds
