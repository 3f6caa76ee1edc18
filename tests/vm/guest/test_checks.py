"""The conformance checks in a real guest, through UIO, on devices that come over vfio-user."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from uvirtio_tools.cli import main

_TRIGGER = Path(__file__).with_name("trigger.sh")


def _check(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, verdict by id, and the whole document."""
    capfd.readouterr()
    status = main(("check", *words, "--provoke", "--json"))
    said = capfd.readouterr()
    assert said.out, said.err
    result: dict[str, Any] = json.loads(said.out)
    return status, {row["id"]: row["verdict"] for row in result["results"]}, result


def _why(result: dict[str, Any], *verdicts: str) -> str:
    """What the results with these verdicts say, a line each."""
    return "\n".join(
        f"{row['id']} {row['verdict']}: {row['summary']}" for row in result["results"] if row["verdict"] in verdicts
    )


@pytest.mark.timeout(300)
def test_a_conforming_rng_breaks_no_statement(capfd: pytest.CaptureFixture[str], devices: dict[str, str]) -> None:
    started = time.monotonic()
    status, verdicts, result = _check(capfd, devices["rng-1.4"], "--cycles", "100", "--hold", "0.1")
    print(f"{len(verdicts)} statements in {time.monotonic() - started:.1f} s")
    assert status == 0, _why(result, "FAIL", "ERROR")
    assert not _why(result, "FAIL", "WARN", "ERROR")
    for statement in ("V1", "V3", "V4", "V8", "V9", "V10", "V13", "V15", "V16"):
        assert verdicts[statement] == "PASS", _why(result, "SKIP")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("device", ["qemu-rng", "rng-store"])
def test_a_device_without_suspend_is_judged_by_what_binds_every_device(
    capfd: pytest.CaptureFixture[str], devices: dict[str, str], device: str
) -> None:
    status, verdicts, result = _check(capfd, devices[device])
    assert status == 0, _why(result, "FAIL", "ERROR")
    assert verdicts["V13"] == "PASS", _why(result, "SKIP")
    assert "V8" not in verdicts


@pytest.mark.timeout(120)
def test_a_refusal_conforms_and_a_stuck_device_fails(
    capfd: pytest.CaptureFixture[str], devices: dict[str, str]
) -> None:
    status, verdicts, result = _check(capfd, devices["rng-refuses"], "--only", "V8", "--timeout", "2")
    assert (status, verdicts["V8"]) == (0, "PASS"), result
    status, verdicts, result = _check(capfd, devices["rng-stuck"], "--only", "V8", "--timeout", "1")
    assert (status, verdicts["V8"]) == (1, "FAIL"), result


@pytest.mark.boot("types")
@pytest.mark.timeout(400)
@pytest.mark.parametrize("device", ["blk", "net", "console"])
def test_every_statement_is_judged_with_real_triggers(
    capfd: pytest.CaptureFixture[str], devices: dict[str, str], device: str
) -> None:
    words = ["--scratch", "2048-6143"] if device == "blk" else []
    status, verdicts, result = _check(
        capfd, devices[device], "--trigger-command", f"{_TRIGGER} {device}", "--cycles", "100", "--hold", "0.1", *words
    )
    assert status == 0, _why(result, "FAIL", "ERROR")
    assert not _why(result, "FAIL", "WARN", "ERROR")
    assert (verdicts["V6"], verdicts["V7"]) == ("PASS", "PASS"), _why(result, "SKIP")
    assert verdicts["S1"] == "PASS", _why(result, "SKIP")
