"""Standard input, output and error as the caller has left them: closed, a full disk, a pipe that nobody reads on."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator

from . import exits

__all__ = ["OutputLost", "fill", "flushed"]

#: What the system says where it takes no more output. Nothing that drives a device lets these through.
_REFUSED = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class OutputLost(Exception):
    """What was to be told cannot be written; ``status`` is the exit status for that."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"cannot write the output: {error.strerror}")
        # A reader that is gone, `head` for instance, has interrupted the command: that is no verdict about a device.
        self.status = exits.INTERRUPTED if isinstance(error, BrokenPipeError) else exits.CANNOT_RUN


def fill() -> None:
    """Open what the caller has closed on the null device, so that no other file gets its number and what is printed.

    A terminal size of 0 is forgotten.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # open until the process ends
    # A serial console does not know its size and says 0, in which nothing could be shown.
    for name in ("COLUMNS", "LINES"):
        if os.environ.get(name) == "0":
            del os.environ[name]


@contextlib.contextmanager
def flushed() -> Iterator[None]:
    """Have standard output written when the block ends. Raises :class:`OutputLost` where that, or a print, is refused."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # at the end of Python it would be too late to say that it failed
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        _discard()
        raise OutputLost(error) from error
    except SystemExit as end:  # rich's answer to a pipe that nobody reads on
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        _discard()
        raise OutputLost(end.__context__) from end


def _discard() -> None:
    """What may still be buffered must not fail again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
