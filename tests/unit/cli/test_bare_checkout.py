"""A bare checkout: it runs by itself, beside another version that is installed, and says which package is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(*words: str, path: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(path)}
    return subprocess.run(
        [sys.executable, "-m", "uvirtio", *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


def test_a_checkout_uses_its_own_rooms_beside_another_version(tmp_path: Path) -> None:
    for room in ("uvirtio_tools", "uvirtio_drivers"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("raise SystemExit('the other version')\n")
    done = run("suspend", "emulated:rng", path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "PASS" in done.stdout


@pytest.mark.parametrize("words", [("list",), ("suspend", "emulated:rng"), ("check", "emulated:rng", "--only", "V4")])
def test_a_package_that_is_missing_is_named_with_what_to_type(words: tuple[str, ...], tmp_path: Path) -> None:
    missing = "raise ModuleNotFoundError(\"No module named 'rich'\", name='rich')\n"
    (tmp_path / "rich.py").write_text(missing)
    done = run(*words, path=tmp_path)
    assert done.returncode == 3
    assert done.stderr == (
        "uvirtio: the Python package rich is not installed: pip install rich, on Debian apt install python3-rich\n"
    )
