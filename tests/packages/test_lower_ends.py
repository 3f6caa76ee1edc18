"""With the oldest packages that pyproject.toml admits, and without the one that Debian 12 has not, all works."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.packages.oldest import MAPS_REGISTERS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oldest")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=60)
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    oldest = [each.replace(">=", "~=") + ".0" for each in dependencies if not each.startswith("rich-argparse")]
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *oldest], check=True, timeout=110)
    return folder / "bin/python"


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("show", "emulated:net", "-v"),
        ("suspend", "emulated:rng"),
        ("check", "emulated:rng", "--only", "B", "--format", "html"),
        ("explain", "V8"),
    ],
    ids=" ".join,
)
def test_a_command_works(python: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [python, "-m", "uvirtio", *words], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_registers_are_mapped(python: Path) -> None:
    subprocess.run([python, "-c", MAPS_REGISTERS], cwd=ROOT, check=True, timeout=60)


def test_help_has_no_colours_where_what_gives_them_is_not_installed(python: Path) -> None:
    code = "import sys; sys.stdout.isatty = lambda: True; from uvirtio_tools.cli import build_parser; print(build_parser().format_help())"
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/tools:{ROOT}/drivers"}
    done = subprocess.run(
        [python, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert "suspend and resume a device under load" in done.stdout
    assert "\x1b" not in done.stdout
