"""Processes that end with the one that started them, even when that one is killed with SIGKILL.

`leashed` starts a command. Alone, it simply dies with its parent. With `tree=True` this file runs as a script in
between: it adopts whatever the command leaves behind and ends all of it (virtme-ng starts QEMU through three others,
and the kernel's parent-death signal reaches only one generation).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

__all__ = ["leashed"]

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SECONDS_TO_END = 10.0


def leashed(
    command: Sequence[str | Path],
    *,
    tree: bool = False,
    cwd: Path | None = None,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Starts `command` without standard input so that it ends with this process, with all its descendants if `tree`.

    Call it from a thread that lives as long as the command should: the kernel goes by the thread, not by the process.
    """
    words = [sys.executable, "-SE", __file__, "tree" if tree else "alone", str(os.getpid()), *map(str, command)]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, cwd=cwd)


def _descendants() -> list[int]:
    """Every living process below this one, zombies left out."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit():
                state, parent = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    children.setdefault(int(parent), []).append(int(entry))
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _end_all() -> None:
    deadline = time.monotonic() + _SECONDS_TO_END
    while (below := _descendants()) and time.monotonic() < deadline:
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)


def _main(mode: str, parent: int, command: list[str]) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    if mode == "alone":
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            return 1
        os.execvp(command[0], command)

    def end(signum: int, _frame: object) -> None:
        _end_all()
        os._exit(128 + signum)

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, end)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return 1
    status = subprocess.Popen(command, start_new_session=True).wait()
    _end_all()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
