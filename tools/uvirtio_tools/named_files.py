"""Files that an option names, which a command writes or reads.

One that cannot be opened is a request that cannot be done: a :class:`~uvirtio.errors.UsageError`, raised before anything else
is done. A disk that is full by the time of writing is the machine's doing: :class:`~uvirtio.errors.CannotRun`. Opening waits
for nobody: a named pipe without another end is a file that cannot be opened, or an empty one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import TextIO, cast

from uvirtio.errors import CannotRun, UsageError, UvirtioError

__all__ = [
    "STANDARD_OUTPUT",
    "check_writable",
    "lines_of",
    "open_for_reading",
    "open_for_writing",
    "read_text",
    "write_text",
]

#: The name that stands for standard output.
STANDARD_OUTPUT = "-"
#: Characters that are read of a document, or of one line: ours have a hundredth of that. A file may have no end.
_LONGEST = 64 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
#: Where no new file can be put beside the one that is there, it is written over.
_NO_ROOM_BESIDE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY}


def _opener(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    os.set_blocking(descriptor, True)
    return descriptor


def open_for_reading(path: str) -> TextIO:
    """Open a file, or a pipe, for reading. Raises OSError, also for a device, which may have no end."""
    file = open(path, encoding="utf-8", opener=_opener)  # noqa: SIM115  # the caller closes it
    kind = os.fstat(file.fileno()).st_mode
    if stat.S_ISBLK(kind) or (stat.S_ISCHR(kind) and not file.isatty()):
        file.close()
        raise OSError(errno.EINVAL, "it is a device, and no file")
    return file


def read_text(path: str) -> str:
    """A whole document. Raises OSError, also where it is longer than any of ours."""
    with open_for_reading(path) as file:
        return _bounded(file.read(_LONGEST + 1))


def lines_of(file: TextIO) -> Iterator[str]:
    """The lines of a file. Raises OSError where one is longer than any of ours."""
    while line := file.readline(_LONGEST + 1):
        yield _bounded(line)


def _bounded(text: str) -> str:
    if len(text) > _LONGEST:
        raise OSError(errno.EFBIG, f"longer than {_LONGEST >> 20} MiB")
    return text


def open_for_writing(option: str, path: str, *, buffering: int = -1) -> TextIO:
    """Open the file that ``option`` names, to be written bit by bit. Raises :class:`UsageError`, :class:`CannotRun`."""
    _refuse_dangling(option, path)
    try:
        return cast(TextIO, open(path, "w", buffering=buffering, encoding="utf-8", opener=_opener))
    except OSError as error:
        raise _explain(option, path, error) from error


def check_writable(option: str, path: str) -> None:
    """Raise now, not after the work, when the file cannot be written. Leaves it, or its absence, as it was.

    Of a pipe it is only known whether it may be opened: who reads it shall not see it opened twice.
    """
    _refuse_dangling(option, path)
    try:
        if not os.path.exists(path):
            with _beside(path):
                return
        kind = os.stat(path).st_mode
        if stat.S_ISREG(kind) or stat.S_ISDIR(kind):
            os.close(_opener(path, os.O_WRONLY))
        elif not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _explain(option, path, error) from error


def write_text(option: str, path: str, text: str) -> None:
    """Write the whole file: what was there is replaced by all of it, or is still there. Raises as :func:`open_for_writing`."""
    _refuse_dangling(option, path)
    try:
        if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
            with open(path, "w", encoding="utf-8", opener=_opener) as file:
                file.write(text)
        else:
            _replace(path, text.encode())
    except OSError as error:
        raise _explain(option, path, error) from error


def _refuse_dangling(option: str, path: str) -> None:
    if os.path.islink(path) and not os.path.exists(path):
        raise UsageError(
            f"{option} {path}: a symbolic link to {os.readlink(path)}, where nothing is; name the file itself"
        )


@contextlib.contextmanager
def _beside(path: str) -> Iterator[tuple[int, str]]:
    """A new file in the directory of another: its descriptor and its name. What is still there in the end is removed."""
    import tempfile  # its imports are many, and most runs write no file

    descriptor, name = tempfile.mkstemp(prefix=".uvirtio-", dir=os.path.dirname(path) or ".")
    try:
        yield descriptor, name
    finally:
        os.close(descriptor)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _replace(path: str, data: bytes) -> None:
    """Put a file in the place of the one that is there, if one is, with its mode and owner."""
    before: os.stat_result | None = None
    if os.path.exists(path):
        # Opened before it is followed: the kernel refuses a link that somebody else has put into a directory of everybody's.
        descriptor = _opener(path, os.O_WRONLY)
        before = os.fstat(descriptor)
        with contextlib.suppress(OSError):
            path = os.readlink(f"/proc/self/fd/{descriptor}")
        os.close(descriptor)
    try:
        with _beside(path) as (descriptor, name):
            _write(descriptor, data)
            os.fchmod(descriptor, 0o666 & ~_umask() if before is None else stat.S_IMODE(before.st_mode))
            if before is not None:
                with contextlib.suppress(PermissionError):
                    os.fchown(descriptor, before.st_uid, before.st_gid)
            os.fsync(descriptor)  # some file systems say only now that there is no room
            os.replace(name, path)
    except OSError as error:
        if before is None or error.errno not in _NO_ROOM_BESIDE:
            raise
        with open(path, "wb", opener=_opener) as file:
            file.write(data)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _explain(option: str, path: str, error: OSError) -> UvirtioError:
    why = "nobody reads this pipe" if error.errno == errno.ENXIO else error.strerror
    message = f"{option} {path}: cannot be written: {why}"
    return CannotRun(message) if error.errno in _FULL else UsageError(message)
