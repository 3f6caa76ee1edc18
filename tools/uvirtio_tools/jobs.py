"""Several devices at once: each job runs in a process forked for it, and hands over what it found through a pipe."""

from __future__ import annotations

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn

from uvirtio.programs import signal_name

from . import exits
from .interruption import ending
from .standard_files import end_process
from .telling import tell_crash

__all__ = ["Ended", "Job", "run_jobs"]

#: How long interrupted jobs may take to give their devices back, in seconds; what is left then is killed.
_GRACE = 30.0


class Job(NamedTuple):
    """What one process does: ``work`` writes its answer to the descriptor that it gets, and returns a status.

    ``name``: whom it judges, which several may; ``number`` tells them apart.
    """

    number: int
    name: str
    work: Callable[[int], int]


class Ended(NamedTuple):
    """How a job ended: its answer, and why there is none where it is empty."""

    job: Job
    answer: bytes
    why: str = ""


class _Process:
    """A job that runs."""

    def __init__(self, job: Job, mask: set[signal.Signals | int]) -> None:
        """Begins it, with these signals blocked."""
        self.job = job
        self.answer = bytearray()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pipe, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            _be(job, writer, mask)
        os.close(writer)

    def read(self) -> bool:
        """Take what it has written; whether there may be more."""
        data = os.read(self.pipe, 1 << 16)
        self.answer += data
        return bool(data)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self) -> Ended:
        """It has closed its pipe: wait for its end."""
        os.close(self.pipe)
        _, ended = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(ended):
            return Ended(
                self.job, b"", f"the process that judged {self.job.name} ended by {signal_name(os.WTERMSIG(ended))}"
            )
        if not self.answer:
            return Ended(
                self.job, b"", f"the process that judged {self.job.name} ended with status {os.WEXITSTATUS(ended)}"
            )
        return Ended(self.job, bytes(self.answer))


def _be(job: Job, writer: int, mask: set[signal.Signals | int]) -> NoReturn:
    status = exits.FAILED
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        status = job.work(writer)
    except KeyboardInterrupt:
        status = exits.INTERRUPTED
    except BaseException as error:
        tell_crash(error)
    finally:
        end_process(status)


def run_jobs(jobs: Sequence[Job], most: int) -> Iterator[Ended]:
    """Run them, at most ``most`` at a time; each as it ends.

    An interrupt ends those that run, which may still answer, and begins no more: what comes then is the last. Those
    that had not begun do not come.
    """
    waiting = list(reversed(jobs))
    running: list[_Process] = []
    deadline: float | None = None
    # An interrupt comes while it is waited, and at no other time: no process is begun and forgotten, and no answer is lost.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending())
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and len(running) < most:
                    running.append(process := _Process(waiting.pop(), before))
                    selector.register(process.pipe, selectors.EVENT_READ, process)
                try:
                    ready = _ready(selector, deadline, before)
                except KeyboardInterrupt:
                    ready = []
                    waiting.clear()
                    deadline = time.monotonic() + _GRACE
                    # The terminal has told them already; a second signal does not disturb their cleaning up.
                    for process in running:
                        process.signal(signal.SIGTERM)
                for process in ready:
                    if not process.read():
                        selector.unregister(process.pipe)
                        running.remove(process)
                        yield process.end()
                if deadline is not None and time.monotonic() >= deadline:
                    for process in running:
                        process.signal(signal.SIGKILL)
        finally:
            for process in running:  # nobody waits for the rest
                process.signal(signal.SIGTERM)
            for process in running:
                process.end()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ready(selector: selectors.BaseSelector, deadline: float | None, mask: set[signal.Signals | int]) -> list[_Process]:
    """Those that have written something, or have ended."""
    left = None if deadline is None else max(0.0, deadline - time.monotonic())
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        return [key.data for key, _ in selector.select(left)]
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, ending())
