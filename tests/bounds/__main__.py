"""``python -m tests.bounds oldest|newest [DIRECTORY]``: make such an environment, and run in it what depends on versions.

``--quick`` leaves it at a few tests of each kind.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

__all__ = ["main", "oldest"]

ROOT = Path(__file__).parents[2]
#: What draws, parses command lines, reads results and talks to udev.
TESTS = (
    "tests/unit/inspect/test_tui.py", "tests/unit/inspect/test_tmux.py", "tests/unit/inspect/test_commands.py", "tests/unit/cli/test_detail.py",
    "tests/unit/cli/test_command_line.py", "tests/unit/cli/test_near_misses.py", "tests/unit/checks/test_reports.py",
    "tests/unit/uio",
)  # fmt: skip
QUICK = (
    "tests/unit/inspect/test_tui.py", "tests/unit/cli/test_detail.py", "-k",
    "burst or filtered or wide_terminal or no_line_ends or vt220 or quiet",
)  # fmt: skip


def oldest(requirement: str) -> str:
    """``rich>=13.7`` as ``rich==13.7``; a requirement without a lower bound is no promise, and refused."""
    found = re.fullmatch(r"([A-Za-z0-9._-]+)>=([0-9.]+)", requirement)
    if found is None:
        raise ValueError(f"{requirement}: a lower bound is needed, and nothing else")
    return f"{found[1]}=={found[2]}"


def requirements() -> list[str]:
    """What the package asks for, with the interface and with what its tests need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *extras["tui"], *extras["test"]]


def main() -> int:
    """The status of the tests."""
    parser = argparse.ArgumentParser(prog="python -m tests.bounds", description=__doc__)
    parser.add_argument("which", choices=("oldest", "newest"))
    parser.add_argument("directory", nargs="?", type=Path)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = args.directory or Path(folder)
        venv.create(place, with_pip=True)
        python = place / "bin" / "python"
        wanted = requirements()
        if args.which == "oldest":
            # An extra may ask for more of what the package asks for as well: what comes later goes.
            wanted = list({re.split("[=>]", each)[0]: oldest(each) for each in wanted}.values())
        pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", "--upgrade", *wanted], check=True, stdin=subprocess.DEVNULL)
        subprocess.run([*pip, "install", "--no-deps", "--editable", ROOT], check=True, stdin=subprocess.DEVNULL)
        subprocess.run([*pip, "freeze"], check=True, stdin=subprocess.DEVNULL)
        tests = QUICK if args.quick else TESTS
        done = subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests], cwd=ROOT, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
