"""The recipes for CI: both have the same steps, and each of them runs, as an ordinary user, in an empty folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.checks.jenkins import faults

ROOT = Path(__file__).parents[2]
#: Whoever owns nothing.
NOBODY = 65534


def recipe(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "ci" / name).read_text())
    return found["judge"] if name.startswith("gitlab") else found["jobs"]["judge"]  # type: ignore[no-any-return]


def steps() -> list[str]:
    return list(recipe("gitlab.yml")["script"])


def test_both_recipes_have_the_same_steps() -> None:
    github = [step["run"].partition("; cat summary.md")[0] for step in recipe("github.yml")["steps"] if "run" in step]
    assert github == steps()


@pytest.mark.timeout(300)
def test_each_step_runs_as_an_ordinary_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("runner")
    source = home / "source"
    ignored = shutil.ignore_patterns("__pycache__", ".*", "build", "tests", "*.egg-info")
    shutil.copytree(ROOT, source, ignore=ignored)
    root = os.geteuid() == 0
    if root:
        for path in (home, *home.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        for path in home.parents:  # pytest's folders are its user's alone
            if path.stat().st_uid == 0 and str(path).startswith("/tmp/"):
                path.chmod(path.stat().st_mode | 0o011)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "UVIRTIO": str(source), "LANG": "C.UTF-8"}
    environment |= {name: os.environ[name] for name in os.environ if name.startswith("PIP_") or name.endswith("_proxy")}
    run: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if root else {}
    for step in steps():
        # A runner gives each step a shell of its own, which does not wait for what goes on behind it.
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", step], cwd=home, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=(home / "said").open("wb"), check=False, timeout=200, **run,
        )  # fmt: skip
        assert done.returncode == 0, f"{step}\n{(home / 'said').read_text()[-3000:]}"
        if "serve" in step:
            _until_there(home / "device.sock")
    assert faults((home / "junit.xml").read_text()) == []
    assert (home / "summary.md").read_text().startswith("# PASS: vfio-user:")
    assert re.search(r'class="verdict PASS"', (home / "report.html").read_text())


def _until_there(path: Path) -> None:
    import time

    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
