"""Exit statuses, and which of the library's errors ends with which.

What the words on the command line ask for cannot be done by anybody: USAGE, an input or output file that cannot be opened
included. It could be done elsewhere or later: CANNOT_RUN, a full disk included.
"""

from __future__ import annotations

from collections.abc import Iterable

from uvirtio.errors import CannotRun, NotOffered, UsageError, UvirtioError

__all__ = ["CANNOT_RUN", "FAILED", "HOLDS", "INTERRUPTED", "NOT_OFFERED", "USAGE", "status_of", "worst"]

HOLDS = 0
FAILED = 1
USAGE = 2
CANNOT_RUN = 3
NOT_OFFERED = 4
INTERRUPTED = 130

#: Of several statuses the first of these is the whole's.
_WORST = (INTERRUPTED, USAGE, FAILED, CANNOT_RUN, NOT_OFFERED, HOLDS)


def worst(statuses: Iterable[int]) -> int:
    """The exit status of a command that did several things."""
    there = set(statuses)
    return next(status for status in _WORST if status in there)


def status_of(error: BaseException) -> int:
    """The exit status that an error ends with."""
    if isinstance(error, UsageError):
        return USAGE
    if isinstance(error, CannotRun):
        return CANNOT_RUN
    if isinstance(error, NotOffered):
        return NOT_OFFERED
    if isinstance(error, UvirtioError):
        return FAILED
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return FAILED
