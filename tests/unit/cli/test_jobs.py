"""``check --jobs``: several devices at once give what one after the other gives, and no process is left behind."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from uvirtio_tools.cli import main
from uvirtio_tools.interruption import Raised
from uvirtio_tools.jobs import Job, run_jobs

DEVICES = ("emulated:rng", "emulated:rng?fault=V4", "emulated:nothing", "emulated:console")


def verdicts(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[tuple[str, dict[str, str]]]]:
    status = main(["check", *DEVICES, "--only", "V4,V9", "--json", *words])
    documents: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["results"]
    found = [(each["locator"], {row["id"]: row["verdict"] for row in each["results"]}) for each in documents]
    return status, found


def test_several_at_once_are_judged_as_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    one_by_one = verdicts(capsys)
    assert verdicts(capsys, "--jobs", "3") == one_by_one
    status, found = one_by_one
    assert (status, [locator for locator, _ in found]) == (2, list(DEVICES))
    assert found[1][1]["V4"] == "FAIL"


def answering(name: str) -> Job:
    def work(answer: int) -> int:
        os.write(answer, name.encode())
        return 0

    return Job(0, name, work)


def dying(name: str) -> Job:
    def work(answer: int) -> int:
        os.write(answer, b"half of it")
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    return Job(0, name, work)


def test_a_job_that_dies_is_told_of_and_the_others_go_on() -> None:
    ended = list(run_jobs([answering("a"), dying("b"), answering("c")], 2))
    told = {each.job.name: (each.answer, each.why) for each in ended}
    assert told == {
        "a": (b"a", ""),
        "b": (b"", "the process that judged b ended by SIGKILL"),
        "c": (b"c", ""),
    }


def test_a_job_without_an_answer_is_told_of() -> None:
    (ended,) = run_jobs([Job(0, "a", lambda _answer: 3)], 1)
    assert ended.why == "the process that judged a ended with status 3"


def waiting(name: str, ready: int) -> Job:
    """Says that it is ready, and answers once it is interrupted."""

    def work(answer: int) -> int:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        os.write(ready, b"x")
        signal.sigwait({signal.SIGTERM})
        os.write(answer, b"interrupted")
        return 130

    return Job(0, name, work)


def test_an_interrupt_ends_those_that_run_and_begins_no_more() -> None:
    reader, ready = os.pipe()

    def interrupting(answer: int) -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        assert os.read(reader, 1) == b"x"
        os.kill(os.getppid(), signal.SIGINT)
        os.write(answer, b"done")
        return 0

    jobs = [waiting("a", ready), Job(0, "b", interrupting), answering("never begun")]
    # In a process with one thread, as the command line has: a signal to one of many comes at any moment to the first.
    process = os.fork()
    if process == 0:
        ended = {}
        try:
            with Raised():
                ended = {each.job.name: each.answer for each in run_jobs(jobs, 2)}
        finally:
            os._exit(ended != {"a": b"interrupted", "b": b"done"})
    os.close(reader)
    os.close(ready)
    assert os.waitpid(process, 0)[1] == 0


def test_who_stops_listening_leaves_no_process_behind() -> None:
    reader, ready = os.pipe()
    jobs = run_jobs([waiting("a", ready), answering("b")], 2)
    assert os.read(reader, 0) == b""
    assert next(jobs).job.name == "b"
    assert os.read(reader, 1) == b"x"
    jobs.close()  # type: ignore[attr-defined]
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    os.close(reader)
    os.close(ready)
