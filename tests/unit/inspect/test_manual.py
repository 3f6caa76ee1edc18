"""The manual page, the reference and the completions are those of this command line."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from docs.make.manual import files, man_page
from uvirtio_tools.cli import COMMANDS
from uvirtio_tools.commands.shells import bash_completion, zsh_completion
from uvirtio_tools.commands.table import commands

_DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_the_kept_files_are_what_the_parser_makes() -> None:
    old = [str(path) for path, text in files(_DOCS).items() if not path.exists() or path.read_text() != text]
    assert not old, "run `make docs`"


def test_every_command_has_its_options_in_the_manual_page_and_both_completions() -> None:
    page, bash, zsh = man_page(), bash_completion(), zsh_completion()
    assert {command.name for command in commands()} == set(COMMANDS)
    for command in commands():
        assert f".SS uvirtio {command.name}" in page
        for option in command.options:
            for flag in option.flags:
                assert flag.replace("-", "\\-") in page
                assert flag in bash
                assert flag in zsh


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_has_nothing_to_complain_about() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww", "-P-c"], input=man_page(), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "UVIRTIO(8)" in re.sub(".\b", "", done.stdout)
