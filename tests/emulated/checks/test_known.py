"""What is known of a device: a baseline and a list of expected deviations, for `check` and `report`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import uvirtio
from uvirtio_tools.cli import main

ONLY = ("--only", "P3,P6,B3")


@pytest.fixture
def results(tmp_path: Path) -> dict[str, str]:
    """Fault -> the file of a result."""
    found = {}
    for fault in ("", "P6", "P3,P6"):
        locator = "emulated:vsock" + (f"?fault={fault}" if fault else "")
        path = tmp_path / f"{fault or 'none'}.json"
        main(["check", locator, *ONLY, "--format", "json", "-o", str(path)])
        found[fault] = str(path)
    return found


def test_only_what_is_worse_than_the_baseline_fails(
    results: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "emulated:vsock?fault=P6", *ONLY, "--baseline", results["P6"]]) == 0
    capsys.readouterr()
    assert main(["check", "emulated:vsock?fault=P6", *ONLY, "--baseline", results[""]]) == 1
    assert "P6: PASS in the baseline, FAIL now" in capsys.readouterr().err


def test_what_is_better_than_the_baseline_is_told(results: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "emulated:vsock", *ONLY, "--baseline", results["P6"]]) == 0
    assert "P6: FAIL in the baseline, PASS now (better)" in capsys.readouterr().err


def test_a_report_has_the_status_of_the_worst_verdict(
    results: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", results[""]]) == 0
    assert main(["report", results[""], results["P6"]]) == 1
    assert main(["report", results["P6"], "--baseline", results["P6"]]) == 0
    capsys.readouterr()


def test_a_known_deviation_is_no_failure_and_one_that_is_gone_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = tmp_path / "known"
    expected.write_text("# of this device\n\nP6 FAIL it has no window\n")
    words = [*ONLY, "--expect", str(expected)]
    assert main(["check", "emulated:vsock?fault=P6", *words]) == 0
    capsys.readouterr()
    assert main(["check", "emulated:vsock", *words]) == 0
    assert "P6: PASS, where FAIL was expected (it has no window) (better)" in capsys.readouterr().err
    expected.write_text("P3 FAIL of old age\n")
    assert main(["check", "emulated:vsock?fault=P6", *words]) == 1
    assert "P6: FAIL, which was not expected" in capsys.readouterr().err
    expected.write_text("P6 WARN it is not so bad\n")
    assert main(["check", "emulated:vsock?fault=P6", *words]) == 1
    assert "P6: FAIL, where WARN was expected (it is not so bad)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("P6 FAIL", "a reason"),
        ("Z9 FAIL why", "there is no statement 'Z9'"),
        ("P6 BAD why", "there is no verdict 'BAD'"),
    ],
)
def test_a_list_that_says_something_else_is_refused(
    line: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = tmp_path / "known"
    expected.write_text(f"{line}\n")
    assert main(["check", "emulated:rng", "--expect", str(expected)]) == 2
    assert said in capsys.readouterr().err


def test_the_two_exclude_each_other_and_a_missing_file_is_named(
    results: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "emulated:rng", "--expect", "none", "--baseline", results[""]]) == 2
    assert main(["check", "emulated:rng", "--expect", "/nowhere/known"]) == 2
    assert "/nowhere/known: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("a.json", "{"),
        ("a.xml", "<?xml"),
        ("a.tap", "KTAP"),
        ("a.md", "#"),
        ("a.html", "<!DOCTYPE html>"),
        ("a.txt", "device"),
    ],
)
def test_the_ending_of_a_file_says_the_format(name: str, begins: str, tmp_path: Path) -> None:
    path = tmp_path / name
    assert main(["check", "emulated:vsock", *ONLY, "-o", str(path)]) == 0
    assert path.read_text().lstrip().lower().startswith(begins.lower())


def test_a_result_names_the_release(results: dict[str, str]) -> None:
    assert json.loads(Path(results[""]).read_text())["release"] == uvirtio.__version__
