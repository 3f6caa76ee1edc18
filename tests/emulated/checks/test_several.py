"""`check` of several devices in one run, and its results in several files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from uvirtio_tools.cli import main

ONLY = ("--only", "P3,P6,B3")
GOOD, BAD = "emulated:vsock", "emulated:vsock?fault=P6"


def test_each_device_is_judged_and_the_worst_is_the_status(tmp_path: Path) -> None:
    path = tmp_path / "both.json"
    assert main(["check", GOOD, BAD, *ONLY, "-o", str(path)]) == 1
    results = json.loads(path.read_text())["results"]
    assert [(result["locator"], result["verdict"]) for result in results] == [(GOOD, "PASS"), (BAD, "FAIL")]
    assert main(["check", GOOD, "emulated:rng", *ONLY]) == 0


def test_a_device_that_cannot_be_opened_is_told_and_the_others_are_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, missing = tmp_path / "both.json", f"vfio-user:{tmp_path}/nobody"
    assert main(["check", missing, GOOD, *ONLY, "-o", str(path)]) == 3
    assert f"uvirtio: {missing}: " in capsys.readouterr().err
    assert [result["verdict"] for result in json.loads(path.read_text())["results"]] == ["ERROR", "PASS"]
    assert main(["check", missing, BAD, *ONLY]) == 1


def test_what_cannot_be_understood_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", GOOD, "emulated:toaster", *ONLY]) == 2
    assert "toaster" in capsys.readouterr().err
    assert main(["check", GOOD, "emulated:rng?size", *ONLY]) == 2
    assert main(["check", GOOD, BAD, *ONLY, "--history", "x.history"]) == 2
    captured = capsys.readouterr()
    assert "--history" in captured.err
    assert not captured.out  # nobody was judged


def test_several_files_take_their_formats_from_their_endings(tmp_path: Path) -> None:
    names = {"r.json": "{", "r.xml": "<?xml", "r.tap": "KTAP", "r.md": "#", "r.html": "<!DOCTYPE html>"}
    words = [word for name in names for word in ("-o", str(tmp_path / name))]
    assert main(["check", GOOD, *ONLY, *words]) == 0
    for name, begin in names.items():
        assert (tmp_path / name).read_text().startswith(begin), name


def test_formats_and_files_belong_to_each_other_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    assert main(["check", GOOD, *ONLY, "-o", one, "--format", "tap", "--format", "json", "-o", two]) == 0
    assert Path(one).read_text().startswith("KTAP")
    assert Path(two).read_text().startswith("{")
    assert main(["check", GOOD, *ONLY, "--format", "tap", "--format", "json", "-o", one]) == 2
    assert main(["check", GOOD, *ONLY, "-o", one, "-o", one]) == 2
    assert "more than once" in capsys.readouterr().err


def test_a_baseline_of_several_is_taken_by_locator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "both.json")
    main(["check", GOOD, BAD, *ONLY, "-o", path])
    assert main(["check", BAD, GOOD, *ONLY, "--baseline", path]) == 0
    assert main(["report", path]) == 1
    assert main(["report", path, "--baseline", path]) == 0
    assert main(["check", "emulated:rng", *ONLY, "--baseline", path]) == 2
    assert "0 of its 2 results are of emulated:rng" in capsys.readouterr().err
