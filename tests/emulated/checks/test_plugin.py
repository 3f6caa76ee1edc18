"""The pytest plugin: one test per statement and device."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from junitparser import JUnitXml

ROOT = Path(__file__).parents[3]


def run_pytest(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in (".", "tools", "drivers"))}
    environment.pop("PYTEST_ADDOPTS", None)
    # An installed project registers the plugin by itself; a bare checkout names it.
    installed = any(entry.name == "uvirtio" for entry in entry_points(group="pytest11"))
    named = [] if installed else ["-p", "uvirtio_tools.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", *named, "-p", "no:cacheprovider", *words]
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)


def outcomes(path: Path) -> dict[tuple[str, str], str]:
    """(device, statement) -> passed, failure, skipped or error."""
    found = {}
    for suite in JUnitXml.fromfile(str(path)):
        for case in suite:
            kinds = [type(result).__name__.lower() for result in case.result]
            found[(case.classname, case.name)] = kinds[0] if kinds else "passed"
    return found


def test_each_statement_is_a_test_of_its_own_and_fails_skips_or_passes(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    done = run_pytest(
        tmp_path, "--uvirtio-device", "emulated:rng?fault=V10", "--uvirtio-device", "emulated:rng?fault=V4", "--uvirtio-only", "V2,V4,V8,V10,R3",
        f"--junitxml={report}",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    by_name = {
        name: sorted(kind for (_, id_), kind in outcomes(report).items() if id_ == name)
        for name in ("V2", "V4", "V8", "V10", "R3")
    }
    assert by_name == {
        "V2": ["skipped"] * 2, "V4": ["failure", "skipped"], "V8": ["passed"] * 2, "V10": ["failure", "passed"], "R3": ["skipped"] * 2,
    }  # fmt: skip
    assert "used index" in done.stdout
    assert "CheckWarning: V10 WARN" in done.stdout


def test_a_device_without_suspend_is_judged_by_what_binds_every_device(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    stores = "emulated:rng?profile=qemu-store"
    done = run_pytest(tmp_path, "--uvirtio-device", stores, "--uvirtio-only", "V8,V13", f"--junitxml={report}")
    assert done.returncode == 0, done.stdout
    assert {id_: kind for (_, id_), kind in outcomes(report).items()} == {"V8": "skipped", "V13": "passed"}


def test_a_device_that_cannot_be_judged_at_all_fails_instead_of_being_skipped(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from uvirtio.emulated.behaviour import Behaviour\n"
        "def ignored(self): self.device.status = 0x0f\n"
        "Behaviour.reset_written = ignored\n"
    )
    done = run_pytest(tmp_path, "--uvirtio-device", "emulated:rng", "--uvirtio-only", "V8")
    assert done.returncode == 1, done.stdout
    assert "1 failed" in done.stdout
    assert "the device does not reset" in done.stdout


def test_strict_makes_the_warning_a_failure(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "--uvirtio-device", "emulated:rng?fault=V12", "--uvirtio-strict", "-k", "V12")
    assert done.returncode == 1
    assert "1 failed" in done.stdout


def test_k_chooses_and_xdist_shares_the_work(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "--uvirtio-device", "emulated:blk", "-k", "V3 or V9", "-n", "2")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("--uvirtio-device", "nonsense"),
        ("--uvirtio-device", "emulated:rng", "--uvirtio-only", "V99"),
        ("--uvirtio-device", "emulated:rng", "--uvirtio-timeout", "nan"),
        ("--uvirtio-device", "emulated:rng", "--uvirtio-hold", "-1"),
        ("--uvirtio-device", "emulated:blk", "--uvirtio-scratch", "here"),
        ("--uvirtio-device", "emulated:rng", "--uvirtio-trigger-command", ""),
    ],
)
def test_what_cannot_be_understood_is_a_usage_error(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run_pytest(tmp_path, *words)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in done.stdout + done.stderr


def test_without_a_device_it_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import sys\n\ndef test_own():\n    assert 'uvirtio_tools.scenarios' not in sys.modules\n"
    )
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_without_xdist_no_mark_of_it_is_used(tmp_path: Path) -> None:
    done = run_pytest(
        tmp_path, "-p", "no:xdist", "--strict-markers", "-W", "error", "--uvirtio-device", "emulated:rng", "--uvirtio-only", "V8"
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("error", ["CannotRun", "DeviceMisbehaved"])
def test_what_a_device_says_steers_no_terminal(tmp_path: Path, error: str) -> None:
    (tmp_path / "conftest.py").write_text(
        f"from uvirtio.errors import {error}\n"
        "from uvirtio_tools.driving import opening\n"
        f"def refuse(*_, **__): raise {error}('it calls itself \\x1b]0;own\\x07')\n"
        "opening.open_device = refuse\n"
    )
    done = run_pytest(tmp_path, "--uvirtio-device", "emulated:rng", "--uvirtio-only", "V8")
    assert done.returncode == 1, done.stdout
    assert r"it calls itself \x1b]0;own" in done.stdout
    assert "\x1b" not in done.stdout
