"""The one file: it has all that is needed, and runs with nothing but Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from release import pyz
from uvirtio import plugins
from uvirtio_tools.image import bundle

PYTHON = sys._base_executable  # type: ignore[attr-defined]  # the one outside of the virtual environment
SECONDS = 60


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pyz") / "dist" / "uvirtio.pyz"
    assert pyz.main([str(path)]) == 0
    return path


def run(file: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    # -S: nothing that is installed on this machine is there; -I: nor what the environment names
    return subprocess.run(
        [PYTHON, "-IS", file, *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )


def test_it_lists_suspends_and_judges_with_nothing_installed(file: Path, tmp_path: Path) -> None:
    assert run(file, "list", "--json", cwd=tmp_path).returncode == 0
    done = run(file, "suspend", "emulated:rng", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["verdict"] == "PASS"
    done = run(file, "check", "emulated:rng?fault=V4", "--only", "V4", "-o", "result.html", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert os.listdir(tmp_path) == ["result.html"]


def test_a_process_that_it_starts_imports_from_it_as_well(file: Path, tmp_path: Path) -> None:
    (tmp_path / "uvirtio_tools").mkdir()
    (tmp_path / "uvirtio_tools" / "__init__.py").write_text("raise SystemExit('planted')\n")
    code = (
        f"import sys; sys.path[:0] = [{str(file)!r}]\n"
        "import subprocess, uvirtio_tools\n"
        "from uvirtio.programs import environment, python_module\n"
        "sys.exit(subprocess.run(python_module('uvirtio_tools.entry'), env=environment()).returncode)"
    )
    done = subprocess.run([PYTHON, "-ISc", code], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_says_which_python_is_too_old() -> None:
    told = pyz._MAIN.decode().replace("(3, 11)", "(9, 0)")
    done = subprocess.run([PYTHON, "-ISc", told], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 3
    assert done.stderr.startswith("uvirtio: CPython 3.11 or newer is needed, and this is cpython 3.")


def test_it_is_the_same_file_whenever_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = [each for each in bundle.collect(tui=False) if each.path.startswith("uvirtio_tools/image/")]
    monkeypatch.setattr(pyz, "collect", lambda tui: some)
    paths = [tmp_path / name for name in ("a.pyz", "b.pyz")]
    for path in paths:
        pyz.write(path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert os.access(paths[0], os.X_OK)


def test_it_brings_the_licences_of_what_is_in_it(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        licensed = {name.split("/")[1] for name in archive.namelist() if name.startswith("licences/")}
    assert {"rich", "pyudev", "Pygments", "textual"} <= licensed


def test_what_was_imported_from_one_file_is_not_searched_for_other_peoples_packages(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(file)])
    monkeypatch.setattr(plugins, "_OURS", str(file))
    assert not plugins._declared.__wrapped__()
    monkeypatch.setattr(plugins, "_OURS", "/elsewhere")
    assert plugins._declared.__wrapped__()


def test_it_can_be_made_from_itself(file: Path, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path[:0] = [{str(file)!r}]\n"
        "from uvirtio_tools.image.bundle import collect\n"
        "print(*sorted(member.path for member in collect(tui=False)), sep='\\n')"
    )
    done = subprocess.run(
        [PYTHON, "-ISc", code], capture_output=True, text=True, timeout=SECONDS, check=True, cwd=tmp_path
    )
    names = done.stdout.split()
    assert {"uvirtio/access/fence.py", "uvirtio_tools/cli.py", "rich/console.py", "pyudev/core.py"} <= set(names)
    assert not [name for name in names if name.endswith(".pyc")]
