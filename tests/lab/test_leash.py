"""Whatever a test starts ends with it, even when the test run is killed and can clean up nothing itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab.leash import leashed

_ROOT = Path(__file__).parents[2]
_LEAVES_ORPHANS = 'setsid sleep 300 & echo $! >> "$0"; (sleep 300 & echo $! >> "$0"); echo $$ >> "$0"; sleep 300'
_STARTER = """
import sys, time
from tests.lab.leash import leashed
leashed(["sh", "-c", sys.argv[2], sys.argv[1]], tree=sys.argv[3] == "tree")
time.sleep(300)
"""


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _pids(file: Path, count: int) -> list[int]:
    deadline = time.monotonic() + 20
    while len(lines := file.read_text().split() if file.exists() else []) < count:
        assert time.monotonic() < deadline, f"only {lines} started"
        time.sleep(0.01)
    return [int(line) for line in lines]


def _all_end(pids: list[int]) -> bool:
    deadline = time.monotonic() + 20
    while any(map(_alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize(
    ("mode", "script", "count"), [("tree", _LEAVES_ORPHANS, 3), ("alone", 'echo $$ >> "$0"; exec sleep 300', 1)]
)
def test_everything_ends_when_the_starter_is_killed(tmp_path: Path, mode: str, script: str, count: int) -> None:
    file = tmp_path / "pids"
    starter = subprocess.Popen([sys.executable, "-c", _STARTER, file, script, mode], cwd=_ROOT)
    try:
        pids = _pids(file, count)
        assert all(map(_alive, pids))
    finally:
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    assert _all_end(pids)


def test_ending_the_leash_ends_what_the_command_left_behind(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    leash = leashed(["sh", "-c", _LEAVES_ORPHANS, file], tree=True)
    pids = _pids(file, 3)
    leash.terminate()
    leash.wait(timeout=20)
    assert _all_end(pids)


def test_the_exit_status_of_the_command_comes_through() -> None:
    assert leashed(["sh", "-c", "exit 7"], tree=True).wait(timeout=20) == 7
    assert leashed(["sh", "-c", "exit 7"]).wait(timeout=20) == 7
    assert leashed(["sh", "-c", "kill -9 $$"], tree=True).wait(timeout=20) == 128 + signal.SIGKILL


def test_alone_the_process_is_the_command_itself_so_that_a_signal_meets_it(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    process = leashed(["sh", "-c", 'echo $$ >> "$0"; exec sleep 300', file])
    assert _pids(file, 1) == [process.pid]
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(timeout=20) == -signal.SIGKILL
