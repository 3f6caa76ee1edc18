"""One process per function: an advisory lock that ends with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ...errors import CannotRun, DeviceBusy, PrivilegeMissing

__all__ = ["RUN", "FunctionLock", "run_directory"]

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
    return run


class FunctionLock:
    """Holds ``NAME.lock`` in ``run`` until :meth:`release`. The file stays: removing it would race with a waiter."""

    def __init__(self, name: str, run: Path = RUN, *, wait: bool = False) -> None:
        """Take the lock. Raises :class:`DeviceBusy`, with the holder's process id, instead of waiting.

        ``wait`` is for locks that are held for one step only, and end with their holder.
        """
        path = run_directory(run) / f"{name}.lock"
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise PrivilegeMissing(
                f"cannot open {path}: {error.strerror}; run it as root (sudo uvirtio ...)"
            ) from error
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
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give it up; idempotent."""
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            os.close(handle)

    def __enter__(self) -> FunctionLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
