"""Ctrl-C, TERM and HUP at any moment: the documented status, and never a traceback.

A moment is a number of calls that Python has made by then, of its own and of ours, so that no clock decides what is tried.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from uvirtio import programs
from uvirtio_tools.interruption import Interrupted, Raised

ROOT = Path(__file__).parents[3]
ROOMS = [str(ROOT), str(ROOT / "tools"), str(ROOT / "drivers")]
#: Begins where the installed command does, and raises a signal at the given call; tells how many there were.
_DRIVE = """
import _signal, sys
sys.path[:0] = {rooms!r}
import uvirtio_tools.entry
number, moment, counted, *sys.argv[1:] = sys.argv[1:]
number, moment, calls = int(number), int(moment), 0

def count(frame, event, argument):
    global calls
    calls += 1
    if calls == moment:
        sys.setprofile(None)
        _signal.raise_signal(number)

sys.setprofile(count)
try:
    status = uvirtio_tools.entry.main()
finally:
    sys.setprofile(None)
    open(counted, "w").write(str(calls))
sys.exit(status)
"""
CODE = _DRIVE.format(rooms=ROOMS)
QUICK = [
    ("list", "--help"),
    ("show", "emulated:rng"),
    ("suspend", "emulated:rng"),
    ("check", "emulated:rng", "--only", "V4"),
    ("bench", "net", "emulated:net", "--seconds", "0.01"),
]


def start(number: int, moment: int, counted: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CODE, str(number), str(moment), str(counted), *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], int]:
    """How many calls each command takes to its end."""
    found = {}
    for words in QUICK:
        counted = tmp_path_factory.mktemp("calls") / "counted"
        with start(signal.SIGINT, 0, counted, *words) as process:
            process.communicate()
        found[words] = int(counted.read_text())
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("words", QUICK, ids=" ".join)
def test_a_command_is_interrupted_at_any_moment_without_a_traceback(
    words: tuple[str, ...], number: signal.Signals, calls: dict[tuple[str, ...], int], tmp_path: Path
) -> None:
    choose = random.Random(f"{words}{number}")
    early = [choose.randrange(1, 20_000) for _ in range(2)]
    counted = tmp_path / "counted"
    for moment in [*early, *(choose.randrange(1, calls[words]) for _ in range(3))]:
        counted.unlink(missing_ok=True)
        with start(number, moment, counted, *words) as process:
            _, said = process.communicate(timeout=60)
        if counted.exists() and int(counted.read_text()) < moment:
            continue  # what is measured takes as many calls as it takes: this time it was over before
        assert "Traceback" not in said, (moment, said)
        assert "Exception ignored" not in said, (moment, said)
        assert process.returncode == 130, (moment, said)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)], ids=lambda each: str(each)
)
def test_a_server_is_ended_at_any_moment_of_its_start(number: signal.Signals, status: int, tmp_path: Path) -> None:
    choose = random.Random(number)
    for moment in [choose.randrange(1, 20_000), *(int(400_000 ** choose.random()) for _ in range(5))]:
        words = ("serve", "rng", "--socket", str(tmp_path / "socket"), "--control", str(tmp_path / "control"))
        with start(number, moment, tmp_path / "counted", *words) as process:
            assert process.stdout is not None
            if process.stdout.readline():
                process.send_signal(number)  # it has come so far: again, at work
            _, said = process.communicate(timeout=60)
        assert said in ("", "uvirtio: interrupted\n", "uvirtio: interrupted; everything has been given back\n"), moment
        assert process.returncode == status, (moment, said)


@pytest.mark.parametrize(
    "command", [programs.python_code("print(1, flush=True); input()"), None], ids=["code", "module"]
)
def test_a_child_that_the_terminal_interrupts_as_well_says_nothing(command: list[str] | None) -> None:
    with subprocess.Popen(
        command or programs.python_module("uvirtio_tools.tui.stepping", "emulated:rng"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=programs.environment(),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")


def test_what_nohup_protects_a_terminal_does_not_end(tmp_path: Path) -> None:
    def protect() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    words = ("serve", "rng", "--socket", str(tmp_path / "socket"))
    with subprocess.Popen(
        [sys.executable, "-c", CODE, str(int(signal.SIGHUP)), "5000", str(tmp_path / "counted"), *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=protect,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().startswith("serving")
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_an_interrupt_that_a_finaliser_swallows_comes_again(capsys: pytest.CaptureFixture[str]) -> None:
    class Dying:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    reader, writer = os.pipe()
    try:
        with pytest.raises(Interrupted) as interrupted, Raised():  # noqa: PT012  # where it is raised is the point
            Dying()
            os.read(reader, 1)  # as long as it takes: nobody writes
        assert interrupted.value.number == signal.SIGTERM
    finally:
        os.close(reader)
        os.close(writer)
    assert capsys.readouterr().err == ""


def test_an_interrupt_that_gets_lost_right_before_the_end_is_raised_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Dying:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted) as interrupted, Raised():
        Dying()
    assert interrupted.value.number == signal.SIGTERM
    assert capsys.readouterr().err == ""


def test_a_second_signal_does_not_disturb_the_cleaning_up() -> None:
    cleaned = False
    with pytest.raises(KeyboardInterrupt), Raised() as signals:  # noqa: PT012  # as above
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            signal.raise_signal(signal.SIGINT)
            cleaned = True
    assert (cleaned, signals.number) == (True, signal.SIGHUP)
