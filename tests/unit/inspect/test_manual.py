"""The manual page, the reference and the completions are those of this command line."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from uvirtio_tools.cli import COMMANDS
from uvirtio_tools.manual import bash_completion, commands, files, man_page, zsh_completion

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
                assert f"'{flag}[" in zsh


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_has_nothing_to_complain_about() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww"], input=man_page(), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "UVIRTIO(8)" in done.stdout


def _complete(*words: str) -> list[str]:
    script = f"""
{bash_completion()}
_uvirtio_devices() {{ echo 0000:00:05.0 emulated:rng; }}
COMP_WORDS=({" ".join(f"'{word}'" for word in words)})
COMP_CWORD={len(words) - 1}
_uvirtio
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_bash_completes_commands_options_choices_and_devices() -> None:
    assert _complete("uvirtio", "sus") == ["suspend"]
    assert _complete("uvirtio", "suspend", "--dialect", "ch") == ["chromium"]
    assert _complete("uvirtio", "show", "--intr") == ["--intrusive"]
    assert _complete("uvirtio", "show", "emul") == ["emulated:rng"]
