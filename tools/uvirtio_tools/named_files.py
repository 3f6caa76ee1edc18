"""Files that an option names and a command writes.

One that cannot be opened is a request that cannot be done: a :class:`~uvirtio.errors.UsageError`, like one that cannot
be read, and raised before anything else is done. A disk that is full by the time of writing is the machine's doing:
:class:`~uvirtio.errors.CannotRun`.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TextIO, cast

from uvirtio.errors import CannotRun, UsageError, UvirtioError

__all__ = ["STANDARD_OUTPUT", "check_writable", "open_for_writing", "write_text"]

#: The name that stands for standard output.
STANDARD_OUTPUT = "-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def open_for_writing(option: str, path: str, *, buffering: int = -1, mode: str = "w") -> TextIO:
    """Open the file that ``option`` names. Raises :class:`UsageError`, :class:`CannotRun`."""
    try:
        return cast(TextIO, open(path, mode, buffering=buffering, encoding="utf-8"))
    except OSError as error:
        raise _explain(option, path, error) from error


def check_writable(option: str, path: str) -> None:
    """Raise now, not after the work, when the file cannot be opened. Leaves it, or its absence, as it was."""
    new = not os.path.exists(path)
    open_for_writing(option, path, mode="a").close()
    if new:
        os.unlink(path)


def write_text(option: str, path: str, text: str) -> None:
    """Write the whole file. Raises :class:`UsageError`, :class:`CannotRun`."""
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise _explain(option, path, error) from error


def _explain(option: str, path: str, error: OSError) -> UvirtioError:
    message = f"{option} {path}: cannot be written: {error.strerror}"
    return CannotRun(message) if error.errno in _FULL else UsageError(message)
