"""One process per function: an advisory lock that ends with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from ...errors import CannotRun, DeviceBusy, PrivilegeMissing

__all__ = ["RUN", "FunctionLock", "run_directory", "trusted"]

#: Where journals and locks live: gone after a reboot, as the state that they describe is.
RUN = Path("/run/uvirtio")


def run_directory(run: Path) -> Path:
    """Make the directory for journals and locks, for root alone. Raises :class:`PrivilegeMissing`."""
    try:
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
    except PermissionError as error:
        raise PrivilegeMissing(f"cannot make {run}: taking a device needs root (sudo uvirtio ...)") from error
    except OSError as error:
        raise CannotRun(f"cannot make {run}: {error.strerror}") from error
    found = os.lstat(run)
    if not stat.S_ISDIR(found.st_mode) or not trusted(found):
        raise CannotRun(
            f"{run} belongs to somebody else, or others may write to it: what is in it decides what root writes to PCI "
            "devices; see who made it, and remove it"
        )
    return run


def trusted(found: os.stat_result) -> bool:
    """Whether nobody but root, or whoever runs this, can have written what lies there."""
    return found.st_uid in (0, os.geteuid()) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


class FunctionLock:
    """Holds ``NAME.lock`` in ``run`` until :meth:`release`. The file stays: removing it would race with a waiter."""

    def __init__(self, name: str, run: Path = RUN, *, wait: bool = False) -> None:
        """Take the lock. Raises :class:`DeviceBusy`, with the holder's process id, instead of waiting.

        ``wait`` is for locks that are held for one step only, and end with their holder.
        """
        path = run_directory(run) / f"{name}.lock"
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except PermissionError as error:
            raise PrivilegeMissing(
                f"cannot open {path}: {error.strerror}; run it as root (sudo uvirtio ...)"
            ) from error
        except OSError as error:
            raise CannotRun(f"cannot open {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            holder = os.pread(self._handle, 32, 0).decode("ascii", "replace").strip()
            os.close(self._handle)
            self._handle = -1
            raise DeviceBusy(
                f"{name} is driven by another uvirtio, process {holder or 'unknown'}; "
                f"wait for it to end or end it (kill {holder or 'PID'})"
            ) from error
        own = f"{os.getpid()}\n".encode()
        # Only for people who wait for it: a full file system keeps nobody from giving a device back.
        with suppress(OSError):
            os.ftruncate(self._handle, os.pwrite(self._handle, own, 0))

    def release(self) -> None:
        """Give it up; idempotent."""
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            os.close(handle)

    def __enter__(self) -> FunctionLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
