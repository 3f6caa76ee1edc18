"""The tutorials: each command is run, what stands below it is printed, and code is that of files that other tests run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
OUTSIDE = ROOT / "tests" / "outside"


def blocks(path: Path, kind: str) -> list[tuple[str, str]]:
    """The fenced blocks of a kind: what stands behind its name, and the text."""
    return re.findall(rf"^```{kind}([^\n]*)\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def programs(folder: Path) -> Path:
    """A folder with a `uvirtio` and a `python` of this checkout."""
    folder.mkdir()
    for name, words in (("uvirtio", "-m uvirtio"), ("python", "")):
        path = folder / name
        path.write_text(
            f'#!/bin/sh\nPYTHONPATH={ROOT}:{ROOT}/tools:{ROOT}/drivers exec {sys.executable} {words} "$@"\n'
        )
        path.chmod(0o755)
    return folder


def script(text: str) -> list[tuple[str, list[str]]]:
    """Commands, each with the lines that it is to print."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.strip():
            found[-1][1].append(line)
    return found


@pytest.mark.parametrize("page", [page for page in TUTORIALS if blocks(page, "console")], ids=lambda page: page.stem)
def test_every_command_prints_what_stands_below_it(page: Path, tmp_path: Path) -> None:
    environment = os.environ | {
        "PATH": f"{programs(tmp_path / 'bin')}:/usr/bin:/bin",
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }
    behind: list[subprocess.Popen[bytes]] = []
    try:
        for command, expected in [each for _, text in blocks(page, "console") for each in script(text)]:
            if command.endswith(" &"):
                process = subprocess.Popen(
                    ["/bin/sh", "-c", f"exec {command[:-2]}"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE
                )
                behind.append(process)
                assert process.stdout is not None
                process.stdout.readline()  # that it is there
                continue
            done = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=100)  # fmt: skip
            status = next((line for line in expected if line.startswith("status ")), "status 0")
            assert f"status {done.returncode}" == status, f"{command}\n{done.stdout}{done.stderr}"
            for line in expected:
                assert line == status or line in done.stdout, f"{command}: {line!r} is not in\n{done.stdout}"
    finally:
        for process in behind:
            process.terminate()
            process.wait(20)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_every_piece_of_python_runs_or_stands_in_a_file_that_is_tested(page: Path) -> None:
    for title, text in blocks(page, "python"):
        if title:
            name = title.split('"')[1]
            assert text.strip("\n") in (OUTSIDE / name).read_text(), f"{page.name}: not in {name}"
        else:
            environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/tools:{ROOT}/drivers"}
            done = subprocess.run(
                [sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=False, timeout=60
            )
            assert done.returncode == 0, done.stderr


def test_the_entry_points_are_those_that_are_installed() -> None:
    from tests.outside.install import ENTRY_POINTS

    for page in TUTORIALS:
        for _, text in blocks(page, "toml"):
            for group, target in re.findall(r'"(uvirtio\.\w+)"\]\nadder = "([^"]+)"', text):
                assert f"[{group}]\nadder = {target}\n" in ENTRY_POINTS
