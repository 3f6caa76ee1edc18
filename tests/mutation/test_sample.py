"""A few changes of the emulated device, always the same ones: each is noticed, or somebody has looked at it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.mutation.changes import ROOT

COUNT, SEED = 40, 1


@pytest.mark.timeout(300)
def test_every_change_of_the_sample_is_noticed_by_the_judge_or_was_looked_at() -> None:
    command = [sys.executable, "-m", "tests.mutation.device", "--count", str(COUNT), "--seed", str(SEED)]
    paths = os.pathsep.join((str(ROOT), str(ROOT / "drivers"), str(ROOT / "tools")))
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths}, check=False
    )
    survivors = [line for line in done.stdout.splitlines() if line.startswith("survived:")]
    assert survivors == [], "close the hole in the judge, or enter it in tests/mutation/looked_at.toml with the reason"
    assert done.returncode == 0, done.stderr
    assert "; " in done.stdout.splitlines()[-1]
