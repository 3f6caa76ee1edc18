"""What a run may cost, and what it must not lack."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.emulated.checks.judging import judge, results
from uvirtio_tools.cli import main


def checked(tmp_path: Path, *words: str) -> tuple[int, dict[str, object]]:
    path = tmp_path / "result.json"
    status = main(["check", *words, "-o", str(path)])
    return status, json.loads(path.read_text())


def verdicts(document: dict[str, object]) -> dict[str, tuple[str, str]]:
    found = document["results"]
    assert isinstance(found, list)
    return {result["id"]: (result["verdict"], result["summary"]) for result in found}


def test_what_the_budget_does_not_reach_is_skipped_and_named(tmp_path: Path) -> None:
    status, cut = checked(tmp_path, "emulated:rng?delay=3", "--budget", "20")
    _, whole = checked(tmp_path, "emulated:rng?delay=3")
    assert status == 0
    judged, all_ = verdicts(cut), verdicts(whole)
    assert list(judged) == list(all_)
    assert judged["S1"] == ("SKIP", "not run: the budget of 20 s was spent before")
    assert any(judged[id_] == all_[id_] and word == "PASS" for id_, (word, _) in judged.items())
    told = [remark for remark in map(str, cut["remarks"]) if "the budget of 20 s was spent" in remark]  # type: ignore[call-overload]
    assert len(told) == 1
    assert "suspend under load" in told[0]
    assert judged["S2"][0] == "PASS"  # the device as it is left is looked at all the same


def test_a_budget_that_suffices_changes_nothing(tmp_path: Path) -> None:
    _, bounded = checked(tmp_path, "emulated:rng", "--budget", "3600")
    _, unbounded = checked(tmp_path, "emulated:rng")
    assert verdicts(bounded) == verdicts(unbounded)
    assert bounded["remarks"] == unbounded["remarks"]


@pytest.mark.parametrize(("delay", "cycles", "expected"), [("0.001", 0, 10), ("3", 0, 3), ("3", 5, 5)])
def test_a_device_that_takes_its_time_is_stressed_less_unless_asked_for(delay: str, cycles: int, expected: int) -> None:
    run = judge(f"emulated:rng?delay={delay}", only="V8,S1", cycles=cycles)
    assert results(run)["S1"].finding.evidence["cycles"] == expected
    assert any("instead of 10" in remark for remark in run.remarks) == (expected == 3)


def test_a_device_without_suspend_fails_where_suspend_is_required(tmp_path: Path) -> None:
    without = "emulated:rng?features=-SUSPEND"
    assert checked(tmp_path, without)[0] == 0
    status, document = checked(tmp_path, without, "--require-suspend")
    assert (status, document["verdict"]) == (1, "FAIL")
    assert verdicts(document)["B1"][0] == "PASS"
    assert checked(tmp_path, without, "--require-suspend", "--only", "V")[0] == 1
    assert checked(tmp_path, "emulated:rng", "--require-suspend", "--only", "V8")[0] == 0
    path = tmp_path / "r.xml"
    assert main(["check", without, "--require-suspend", "-o", str(path)]) == 1
    failures = ElementTree.parse(path).findall(".//failure")
    assert len(failures) == 1
    assert "does not offer SUSPEND" in str(failures[0].get("message"))
