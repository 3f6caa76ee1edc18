"""The lower bounds of `pyproject.toml`: they are there, and the oldest versions draw, parse and report as the newest do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .__main__ import ROOT, oldest, requirements


def test_every_dependency_has_a_lower_bound_and_no_other() -> None:
    assert [oldest(each).count("==") for each in requirements()] == [1] * len(requirements())
    with pytest.raises(ValueError, match="lower bound"):
        oldest("textual")


@pytest.mark.timeout(300)
def test_with_the_oldest_versions_the_interface_and_the_command_line_are_what_they_are(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.bounds", "oldest", str(tmp_path / "oldest"), "--quick"]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert "textual==6.0" in done.stdout
