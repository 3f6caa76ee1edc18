"""A device type that comes in another package is listed, shown, driven and judged like one of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.outside.install import ENTRY_POINTS, install

ROOT = Path(__file__).parents[2]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Where the other package is installed."""
    (tmp_path / "site").mkdir()
    return install(tmp_path / "site")


def python(site: Path | None, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the other package installed."""
    path = [str(each) for each in (site, ROOT, ROOT / "drivers", ROOT / "tools") if each is not None]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path), "COLUMNS": "200"}
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110)


def uvirtio(site: Path | None, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    return python(site, "-m", "uvirtio", *words)


def test_it_is_shown_by_its_name_with_its_features_queues_and_fields(site: Path) -> None:
    done = uvirtio(site, "show", "emulated:adder?modulus=77")
    assert done.returncode == 0, done.stderr
    for word in ("Virtio adder", "ADDER_F_CARRY", "additions", "modulus", "77"):
        assert word in done.stdout


def test_it_is_suspended_under_its_own_load(site: Path) -> None:
    done = uvirtio(site, "suspend", "emulated:adder", "--cycles", "3", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["verdict"] == "PASS"
    assert "with the right sum" in document["reason"]
    assert all(cycle["in_flight_at_suspend"] for cycle in document["cycles"])


def test_it_is_judged_by_all_statements_and_its_own_by_its_own_scenario(site: Path) -> None:
    done = uvirtio(site, "check", "emulated:adder", "--json")
    assert done.returncode == 0, done.stderr
    verdicts = {result["id"]: result["verdict"] for result in json.loads(done.stdout)["results"]}
    assert verdicts["ADDER1"] == "PASS"
    assert {verdicts[id_] for id_ in ("V3", "V4", "V8", "V9", "V11", "V16", "S1")} == {"PASS"}
    assert "ADDER1" in uvirtio(site, "check", "--list").stdout


def test_what_it_does_wrong_is_found(site: Path) -> None:
    done = uvirtio(site, "check", "emulated:adder?fault=V16", "--only", "V16,S1", "--json")
    assert done.returncode == 1
    assert {result["verdict"] for result in json.loads(done.stdout)["results"]} == {"FAIL"}


def test_its_statement_is_not_asked_of_other_devices(site: Path) -> None:
    done = uvirtio(site, "check", "emulated:rng", "--json")
    assert "ADDER1" not in {result["id"] for result in json.loads(done.stdout)["results"]}


def test_it_is_listed_and_driven_in_the_interface(site: Path, tmp_path: Path) -> None:
    done = python(site, "-m", "tests.outside.looking", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "listed: adder" in done.stdout
    assert "cycle 1: PASS" in done.stdout


def test_without_the_package_it_is_a_type_without_a_name(site: Path) -> None:
    done = uvirtio(None, "show", "emulated:adder")
    assert done.returncode == 2
    assert "no emulated device type 'adder'" in done.stderr


def test_a_package_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    broken = install(tmp_path, ENTRY_POINTS.replace("adder.model:AdderModel", "adder.nowhere:AdderModel"))
    done = uvirtio(broken, "show", "emulated:adder")
    assert done.returncode == 3
    assert "virtio-adder" in done.stderr
    assert "adder.nowhere" in done.stderr
    assert "Traceback" not in done.stderr
