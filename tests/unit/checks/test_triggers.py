"""Triggers through the user's command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from uvirtio.errors import CannotRun
from uvirtio_tools.driving.triggers import CommandTriggers


@pytest.fixture
def command(tmp_path: Path) -> tuple[str, Path]:
    script, log = tmp_path / "trigger command", tmp_path / "log"
    script.write_text(
        "#!/bin/sh\n"
        f'echo "$1 $2" >> "{log}"\n'
        'case "$1" in available) echo change_config set_link;; fail) echo no such link >&2; exit 3;; esac\n'
    )
    script.chmod(0o755)
    return f"'{script}'", log


def test_the_shell_gets_the_name_and_its_arguments_as_json(command: tuple[str, Path]) -> None:
    triggers = CommandTriggers(command[0])
    triggers.fire("set_link", up=False, note="it's")
    name, _, arguments = command[1].read_text().strip().partition(" ")
    assert name == "set_link"
    assert json.loads(arguments) == {"up": False, "note": "it's"}


def test_the_command_says_once_what_it_knows(command: tuple[str, Path]) -> None:
    triggers = CommandTriggers(command[0])
    assert triggers.available() == {"change_config", "set_link"} == triggers.available()
    assert command[1].read_text().count("available") == 1


def test_a_command_that_fails_cannot_and_its_words_are_passed_on(command: tuple[str, Path]) -> None:
    with pytest.raises(CannotRun, match=r"status 3.*no such link"):
        CommandTriggers(command[0]).fire("fail")
    with pytest.raises(CannotRun, match="status 127"):
        CommandTriggers("/nowhere/at/all").fire("change_config")


def test_a_command_that_hangs_is_ended() -> None:
    with pytest.raises(CannotRun, match=r"not end within 0\.2 s"):
        CommandTriggers("sleep 30; :", timeout=0.2).fire("change_config")


def test_a_command_that_does_not_say_what_it_knows_is_taken_to_change_the_configuration() -> None:
    assert CommandTriggers("false").available() == {"change_config"}
