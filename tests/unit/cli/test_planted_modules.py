"""Root in a directory that anybody can write to: nothing that lies there is imported or run, by any process of ours."""

from __future__ import annotations

import ast
import asyncio
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.planted import PROGRAMS, plant
from tests.unit.device.scripted import PLAIN
from uvirtio import programs
from uvirtio.errors import CannotRun
from uvirtio_tools.benches import devices as device_benches
from uvirtio_tools.inspect import live
from uvirtio_tools.tui.client import Client, run_command

ROOT = Path(__file__).parents[3]
ROOMS = [str(ROOT), str(ROOT / "tools"), str(ROOT / "drivers")]


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a module of each name and programs that leave a mark when they are run."""
    here = tmp_path / "anybodys"
    here.mkdir()
    mark = tmp_path / "mark"
    plant(here, mark)
    monkeypatch.chdir(here)
    monkeypatch.setenv("PATH", f":.:{os.environ['PATH']}")
    # As the command line leaves it: absolute entries, none of which is the current directory.
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    return mark


def test_a_module_is_run_from_where_this_process_imports_it(planted: Path) -> None:
    done = subprocess.run(
        programs.python_module("uvirtio", "--version"),
        env=programs.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("uvirtio ")
    assert not planted.exists()


def test_a_child_is_given_no_path_that_the_environment_names_for_it(planted: Path) -> None:
    environment = {"PYTHONPATH": str(Path.cwd()), "PYTHONSTARTUP": "x.py", "PATH": ".::/usr/bin:bin"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        child = programs.environment(TERM="dumb")
    assert not [name for name in child if name.startswith("PYTHON")]
    assert child["PATH"] == "/usr/bin"
    assert child["TERM"] == "dumb"


def test_a_session_of_the_tui_imports_nothing_from_the_current_directory(planted: Path) -> None:
    async def drive() -> dict[str, object]:
        client = Client("emulated:rng", lambda _trace: None)
        try:
            return await client.open()
        finally:
            await client.close()

    assert "state" in asyncio.run(drive())
    assert not planted.exists()


def test_a_command_of_the_tui_imports_nothing_from_the_current_directory(planted: Path) -> None:
    lines: list[str] = []
    assert asyncio.run(run_command("show", "emulated:rng", on_line=lines.append)) == 0
    assert lines
    assert not planted.exists()


def test_a_look_in_another_process_imports_nothing_from_the_current_directory(planted: Path) -> None:
    with pytest.raises(CannotRun, match="no PCI function"):
        live._look_elsewhere("0000:fe:1f.0")
    assert not planted.exists()


def test_what_takes_the_frames_of_a_bench_imports_nothing_from_the_current_directory(planted: Path) -> None:
    ours, its = socket.socketpair()

    class WithPeer:
        class function:
            surroundings = replace(PLAIN, peer=its)

    with ours, its, device_benches._taken(WithPeer()):  # type: ignore[arg-type]  # only its peer is asked for
        ours.send(b"frame")
        # It takes what comes: the buffer of the socket would be full long before this.
        for _ in range(2000):
            ours.sendall(bytes(1500))
    assert not planted.exists()


def test_programs_are_not_looked_up_in_the_current_directory(planted: Path) -> None:
    for name in PROGRAMS:
        assert programs.find(name) != str(Path.cwd() / name)
    assert programs.find("modprobe", system=True) not in (None, str(Path.cwd() / "modprobe"))
    assert programs.find("no-such-program", system=True) is None


@pytest.mark.parametrize("words", [("--version",), ("list",), ("doctor",), ("suspend", "emulated:rng")])
def test_the_command_line_imports_nothing_from_the_current_directory(planted: Path, words: tuple[str, ...]) -> None:
    for found_by_python in ("uvirtio.py", "importlib.py"):
        # Which Python itself looks for, for `-m`, before anything of ours runs: the documents say where not to use it.
        (Path.cwd() / found_by_python).unlink()
    subprocess.run(
        [sys.executable, "-m", "uvirtio", *words],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(ROOMS)},
        capture_output=True,
        timeout=60,
    )
    assert not planted.exists()


def test_children_are_started_in_one_place() -> None:
    places = [
        str(path.relative_to(ROOT))
        for room in ROOMS
        for package in ("uvirtio", "uvirtio_tools", "uvirtio_drivers")
        for path in sorted((Path(room) / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable"
    ]
    assert set(places) == {"uvirtio/programs.py"}


def test_no_library_looks_programs_up_in_the_current_directory() -> None:
    code = (
        "import os, uvirtio_tools.entry as entry, uvirtio_tools.cli as cli\n"
        "cli.main = lambda: print(os.environ['PATH'])\nentry.main()"
    )
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {ROOMS!r}\n{code}"]
    done = subprocess.run(
        command, env=os.environ | {"PATH": ":.:bin:/usr/bin:../x:/bin"}, capture_output=True, text=True
    )
    assert done.stdout == "/usr/bin:/bin\n"
