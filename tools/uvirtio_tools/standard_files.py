"""Standard input, output and error as the caller has left them: closed, a full disk, a pipe that nobody reads on."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import termios
from collections.abc import Iterator
from typing import NoReturn, TextIO

from . import exits

__all__ = ["OutputLost", "discard", "end_process", "fill", "flushed"]

#: What the system says where it takes no more output. Nothing that drives a device lets these through.
_REFUSED = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class OutputLost(Exception):
    """What was to be told cannot be written; ``status`` is the exit status for that."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"cannot write the output: {error.strerror}")
        # A reader or a terminal that is gone, `head` for instance, has interrupted the command: no verdict about a device.
        gone = isinstance(error, BrokenPipeError) or error.errno == errno.EIO
        self.status = exits.INTERRUPTED if gone else exits.CANNOT_RUN


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
        if error.errno not in _REFUSED and not (error.errno == errno.EIO and _hung_up(sys.stdout)):
            raise
        discard(sys.stdout)
        raise OutputLost(error) from error
    except SystemExit as end:  # rich's answer to a pipe that nobody reads on
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        discard(sys.stdout)
        raise OutputLost(end.__context__) from end


def end_process(status: int) -> NoReturn:
    """End a process that was forked, with what it has said written, and none of what its parent has to do at its end."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def discard(file: TextIO) -> None:
    """Have what is still buffered, and what is written later, go nowhere: it must not fail again when Python ends."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), file.fileno())


def _hung_up(file: TextIO) -> bool:
    """Whether it was a terminal, which is gone."""
    try:
        termios.tcgetattr(file.fileno())
    except termios.error as error:
        return bool(error.args[0] == errno.EIO)
    except (OSError, ValueError):
        pass
    return False
