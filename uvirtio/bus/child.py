"""A program that serves one opened function: it ends with this process, and its last words are kept."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence

from ..errors import CannotRun
from ..programs import find, python_code, signal_name

__all__ = ["Child", "memory_file"]

#: Signals by which a process ends over its own mistake.
_CRASHES = frozenset(
    {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGSYS, signal.SIGTRAP}
)
_WORDS = 1 << 16

_PR_SET_PDEATHSIG = 1
#: argv: the parent's pid, then the command. The parent may have died before the signal was asked for.
_LEASH = f"""
import ctypes, os, sys
ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, {int(signal.SIGKILL)})
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
_SHELL_LEASH = 'test "$PPID" = "$0" && exec "$@"'


def memory_file(name: str, content: bytes = b"", size: int | None = None) -> int:
    """A file descriptor of a file in memory with this content, extended to ``size`` bytes."""
    descriptor = os.memfd_create(name)
    if content:
        os.pwrite(descriptor, content, 0)
    os.ftruncate(descriptor, len(content) if size is None else size)
    return descriptor


def _leashed(command: Sequence[str]) -> list[str]:
    """The command, so started that the kernel kills it when the thread that starts it ends."""
    setpriv, parent = find("setpriv", system=True), str(os.getpid())
    if setpriv:
        return [setpriv, "--pdeathsig", "KILL", "/bin/sh", "-c", _SHELL_LEASH, parent, *command]
    return python_code(_LEASH, parent, *command)


class Child:
    """A running program, an absolute path with its arguments. ``descriptors`` are open in it under the same numbers.

    ``typed``: its standard input is that of a terminal where nobody types, and not at its end. ``console``: a descriptor that
    is its standard input and output instead.

    Raises :class:`CannotRun` where it cannot be started.
    """

    def __init__(
        self, command: Sequence[str], descriptors: Sequence[int] = (), *, typed: bool = False, console: int = -1
    ) -> None:
        self._words = memory_file("uvirtio-child-stderr")
        self._process: subprocess.Popen[bytes] | None = None
        started = threading.Event()
        failure: list[OSError] = []

        def keep() -> None:
            # The kernel ends the child with the *thread* that started it, so this one stays until the child has ended.
            try:
                # A session of its own: Ctrl-C must reach us first, who reset the device and then end the child.
                self._process = subprocess.Popen(
                    _leashed(command),
                    stdin=console if console >= 0 else subprocess.PIPE if typed else subprocess.DEVNULL,
                    stdout=console if console >= 0 else subprocess.DEVNULL, stderr=self._words,
                    pass_fds=tuple(descriptors), start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                failure.append(error)
                return
            finally:
                started.set()
            self._process.wait()

        threading.Thread(target=keep, name="uvirtio-child", daemon=True).start()
        started.wait()
        if failure:
            self.close()
            raise CannotRun(f"{command[0]} cannot be started: {failure[0].strerror}") from failure[0]

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def wait(self, seconds: float) -> int | None:
        """The exit status once it has ended (a signal as a negative number), None while it runs after ``seconds``."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    @staticmethod
    def how(status: int) -> str:
        """What an exit status means, as the end of a sentence."""
        return f"was ended by {signal_name(-status)}" if status < 0 else f"ended with status {status}"

    @staticmethod
    def by_itself(status: int) -> bool:
        """Whether it crashed, aborted, or ended with an error; a program that is told to end does none of these."""
        return status > 0 or -status in _CRASHES

    def words(self) -> str:
        """What it has written to its standard error."""
        return os.pread(self._words, _WORDS, 0).decode(errors="replace") if self._words >= 0 else ""

    def end(self, seconds: float) -> None:
        """Tell it to end, and kill it where it has not ended in this time."""
        self._signal(signal.SIGTERM)
        if self.wait(seconds) is None:
            self.kill()

    def kill(self) -> None:
        """End it now."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def end_all(self) -> None:
        """End it and all that it has started, in its session, now."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def close(self) -> None:
        """Forget what it said; idempotent. It has to have ended."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        if self._words >= 0:
            os.close(self._words)
            self._words = -1
