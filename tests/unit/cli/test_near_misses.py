"""What the command line says of words that it does not know, where options may stand, and completions of a shell."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from uvirtio_tools.cli import COMMANDS, main, parse


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("chekc", "emulated:rng"), "there is no command 'chekc'; did you mean check?"),
        (("emulated:rng",), "did you mean `uvirtio show emulated:rng`"),
        (("xyzzy",), "choose from list, show"),
        (("check", "--cylces", "3", "emulated:rng"), "unrecognized arguments: --cylces; did you mean --cycles?"),
        (("check", "--cyc", "3", "emulated:rng"), "unrecognized arguments: --cyc; did you mean --cycles?"),
        (("check", "emulated:rng", "--dialect", "cromium"), "did you mean chromium?"),
        (("bench", "interupts"), "did you mean interrupts?"),
    ],
)
def test_a_near_miss_is_suggested(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in " ".join(refused(capsys, *words).split())


def test_an_unknown_option_shows_the_usage_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "list", "--jsno").startswith("usage: uvirtio list ")


def test_words_of_others_in_an_error_steer_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\x1b" not in refused(capsys, "\x1b]0;own\x07")
    assert "\x1b" not in refused(capsys, "check", "--\x1b[2J")


def test_without_a_word_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in COMMANDS)


@pytest.mark.parametrize(
    "words",
    [
        ["check", "a", "b", "--cycles", "3", "-o", "x"],
        ["check", "--cycles", "3", "a", "-o", "x", "b"],
        ["check", "a", "--cycles", "3", "b", "-o", "x"],
    ],
)
def test_options_stand_before_between_and_after_operands(words: list[str]) -> None:
    args = parse(words)
    assert (args.locators, args.cycles, args.output) == (["a", "b"], 3, ["x"])


def test_bench_takes_options_between_its_operands() -> None:
    args = parse(["bench", "blk", "--turns", "1", "emulated:blk"])
    assert (args.bench, args.turns, args.locator) == ("blk", 1, "emulated:blk")


def test_help_has_examples_that_can_be_parsed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", "--help"])
    assert ended.value.code == 0
    assert "examples:\n  uvirtio check 00:05.0\n" in capsys.readouterr().out


def test_help_is_coloured_on_a_terminal_alone() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "uvirtio", "check", "--help"]
    with subprocess.Popen(command, stdout=theirs, stdin=subprocess.DEVNULL, env=environment) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # the other end is closed
            pass
        assert process.wait(60) == 0
    os.close(ours)
    assert b"\x1b[" in shown
    assert b"--cycles" in shown
    piped = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert b"\x1b[" not in piped.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    printed = capsys.readouterr().out
    assert all(command in printed for command in COMMANDS)
    kept = {"bash": "uvirtio.bash", "zsh": "_uvirtio"}.get(shell)
    if kept is not None:
        assert printed == (Path(__file__).parents[3] / "docs/completion" / kept).read_text()


@pytest.mark.needs("fish")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("uvirtio ch", "check"),
        ("uvirtio check --bud", "--budget"),
        ("uvirtio check emulated:rn", "emulated:rng"),
        ("uvirtio completion f", "fish"),
        ("uvirtio check --dialect chr", "chromium"),
    ],
)
def test_fish_offers_what_may_follow(line: str, offered: str, tmp_path: Path) -> None:
    path = tmp_path / "uvirtio.fish"
    path.write_text(
        subprocess.run(
            [sys.executable, "-m", "uvirtio", "completion", "fish"], capture_output=True, text=True, check=True
        ).stdout
    )
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source {path}; complete -C '{line}'"],
        capture_output=True, text=True, check=True, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert offered in [row.partition("\t")[0] for row in done.stdout.splitlines()], done.stderr
