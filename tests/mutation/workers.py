"""Runs each job in a forked child of its own, several at once, each with a limit of time; none can hang the run.

The limit is one of processor time, so that the outcome does not depend on what else the machine does; one of time, ten times
as long, ends those that only wait.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["HUNG", "run_all"]

Job = TypeVar("Job")
Answer = dict[str, object]

#: The answer of a child that had to be killed.
HUNG: Answer = {"hung": True}
#: How many times longer a child may wait than compute.
_PATIENCE = 10


@dataclass(slots=True)
class _Child(Generic[Job]):
    job: Job
    pid: int
    deadline: float
    said: bytearray = field(default_factory=bytearray)


def run_all(
    jobs: Iterable[Job], work: Callable[[Job], Answer], *, workers: int, seconds: float
) -> Iterator[tuple[Job, Answer]]:
    """Each job with the answer of ``work`` (JSON-ready), as they come; :data:`HUNG` after ``seconds`` of computing.

    What ``work`` raises is answered as ``{"raised": ...}``. A child is the leader of a process group, which ends with it.
    """
    waiting = iter(jobs)
    with selectors.DefaultSelector() as selector:
        more = True
        while more or selector.get_map():
            while more and len(selector.get_map()) < workers:
                try:
                    job = next(waiting)
                except StopIteration:
                    more = False
                    break
                descriptor, child = _start(job, work, seconds)
                selector.register(descriptor, selectors.EVENT_READ, child)
            for key, _ in selector.select(0.2):
                piece = os.read(key.fd, 1 << 16)
                key.data.said += piece
                if not piece:
                    selector.unregister(key.fd)
                    yield key.data.job, _end(key.fd, key.data)
            for key in list(selector.get_map().values()):
                if time.monotonic() > key.data.deadline:
                    selector.unregister(key.fd)
                    _end(key.fd, key.data)
                    yield key.data.job, HUNG


def _start(job: Job, work: Callable[[Job], Answer], seconds: float) -> tuple[int, _Child[Job]]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return reading, _Child(job, pid, time.monotonic() + _PATIENCE * seconds)
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
        os.close(reading)
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(nothing, standard)
        try:
            answer = work(job)
        except BaseException as error:
            answer = {"raised": "".join(traceback.format_exception_only(error)).strip()}
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(answer).encode())
    finally:
        os._exit(0)


def _end(descriptor: int, child: _Child[Job]) -> Answer:
    os.close(descriptor)
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(child.pid, signal.SIGKILL)  # it has no group yet
    _, status = os.waitpid(child.pid, 0)
    if child.said:
        answer: Answer = json.loads(child.said)
        return answer
    ended = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
    return HUNG if ended else {"raised": "the child ended without a word"}
