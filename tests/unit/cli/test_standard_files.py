"""Standard output that is closed, full, or read by nobody: a sentence and a status, never a traceback or a verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COMMANDS = [
    ("--version",),
    ("check", "--list"),
    ("dump", "emulated:rng"),
    ("suspend", "emulated:rng"),
    ("check", "emulated:rng", "--only", "V4"),
]


def start(words: tuple[str, ...], output: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "uvirtio", *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output,
        stderr=subprocess.PIPE, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_full_disk_is_told_in_one_sentence(words: tuple[str, ...]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = start(words, full)
    finally:
        os.close(full)
    assert done.returncode == 3
    assert done.stderr == "uvirtio: cannot write the output: No space left on device\n"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_reader_that_is_gone_is_an_interruption_and_no_verdict(words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = start(words, writer)
    finally:
        os.close(writer)
    assert done.returncode == 130
    assert done.stderr == ""


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_runs_with_all_standard_files_closed(words: tuple[str, ...]) -> None:
    script = f"'{sys.executable}' -m uvirtio {' '.join(words)} <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", script], cwd=ROOT, timeout=60).returncode == 0


def test_a_terminal_of_unknown_size_is_shown_something() -> None:
    command = [sys.executable, "-m", "uvirtio", "suspend", "emulated:rng"]
    environment = os.environ | {"COLUMNS": "0", "LINES": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert "suspended and resumed once" in done.stdout
