"""How much is said: -q, nothing more than the verdict; -v, everything. And lines that end with their last word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from uvirtio.programs import environment
from uvirtio_tools.cli import main

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("check", "emulated:rng", "--only", "V8"), "PASS  1 PASS"),
        (("check", "emulated:rng", "emulated:blk", "--only", "V8"), "emulated:blk (none: emulated in this process): PASS  1 PASS"),
        (("suspend", "emulated:rng"), "PASS  suspended and resumed"),
    ],
)  # fmt: skip
def test_quiet_says_the_verdict_only(words: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "-q"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith(line[:40]) or said.out.startswith(line)
    assert len(said.out.splitlines()) <= 2
    assert said.err == ""


def test_verbose_tells_of_every_statement_and_cycle(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "emulated:rng", "--only", "V8", "-v"]) == 0
    assert "V8 PASS  Asked to suspend" in capsys.readouterr().out
    assert main(["suspend", "emulated:rng", "--cycles", "12", "-v"]) == 0
    cycles = [
        line
        for line in capsys.readouterr().out.splitlines()
        if line.rstrip().endswith("PASS") and line[:8].strip().isdecimal()
    ]
    assert len(cycles) == 12


def test_quiet_and_verbose_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "emulated:rng", "-q", "-v"])
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("show", "emulated:net"), ("check", "emulated:rng", "--only", "V"), ("check", "emulated:rng", "emulated:blk", "--only", "V8"),
        ("suspend", "emulated:rng", "--cycles", "3"), ("doctor",), ("explain", "V4"), ("check", "--list"), ("list",),
    ],
)  # fmt: skip
def test_no_line_ends_in_blanks(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    main(list(words))
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize("words", [("check", "--list"), ("show", "emulated:net")])
def test_a_reader_that_has_enough_ends_it_without_a_word(words: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "uvirtio", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) in (0, 130)
