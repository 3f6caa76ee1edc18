"""Exit statuses, and which of the library's errors ends with which.

What the words on the command line ask for cannot be done by anybody: USAGE, an input or output file that cannot be opened
included. It could be done elsewhere or later: CANNOT_RUN, a full disk included.
"""

from __future__ import annotations

from uvirtio.errors import CannotRun, NotOffered, UsageError, UvirtioError

__all__ = ["CANNOT_RUN", "FAILED", "HOLDS", "INTERRUPTED", "NOT_OFFERED", "USAGE", "status_of"]

HOLDS = 0
FAILED = 1
USAGE = 2
CANNOT_RUN = 3
NOT_OFFERED = 4
INTERRUPTED = 130


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
