"""The command: its statuses, its output, and what becomes of bad input and of Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from uvirtio_tools.cli import main

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "docs" / "schemas" / "check.schema.json"


def run(*words: str) -> int:
    return main(["check", *words])


@pytest.mark.parametrize(
    ("locator", "status"),
    [
        ("emulated:rng", 0),
        ("emulated:rng?fault=V4", 1),
        ("emulated:rng?fault=V10", 0),
        ("emulated:rng?profile=qemu-store", 0),
        ("emulated:rng?profile=refuses", 0),
        ("emulated:rng?profile=stuck", 1),
        ("emulated:rng?profile=rfc", 0),
        ("emulated:rng?profile=nonsense", 2),
        ("emulated:nonsense", 2),
        ("nonsense", 2),
    ],
)
def test_the_status_says_how_it_ended(locator: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(locator) == status
    capsys.readouterr()


def test_what_was_seen_without_moving_data_is_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("emulated:vsock", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["counts"]["PASS"] > 0
    assert document["counts"]["FAIL"] == document["counts"]["WARN"] == 0
    assert document["verdict"] == "WARN"


def test_the_json_is_alone_on_stdout_and_follows_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("emulated:blk?fault=V4", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    failed = next(result for result in document["results"] if result["id"] == "V4")
    assert failed["verdict"] == "FAIL"
    assert failed["expected"]
    assert failed["observed"]
    assert failed["evidence"]["suspend"]["status_names"].startswith("0x1b (ACKNOWLEDGE")
    assert failed["evidence"]["at_done"]["used_index"] != failed["evidence"]["after"]["used_index"]
    assert any(access["register"] == "device_status" and access["value"] == "0x1f" for access in failed["accesses"])
    deviating = next(result for result in document["results"] if result["id"] == "V1")
    assert any(text.startswith("D1: ") for text in deviating["deviations"])


def test_a_device_that_does_not_offer_suspend_is_judged_by_what_is_demanded_of_every_device(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("emulated:rng?profile=qemu-store", "--json") == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert "V13" in {result["id"] for result in document["results"]}
    assert not {"V3", "V8", "V9"} & {result["id"] for result in document["results"]}
    assert "does not offer SUSPEND" in captured.err


def test_what_is_said_of_suspend_alone_cannot_be_judged_on_a_device_that_does_not_offer_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("emulated:rng?profile=qemu-store", "--only", "V8,V9", "--json") == 4
    captured = capsys.readouterr()
    assert json.loads(captured.out)["results"] == []
    assert "does not offer SUSPEND" in captured.err


def test_only_judges_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("emulated:rng", "--only", "v4,V8", "--only", "D3", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [result["id"] for result in document["results"]] == ["D3", "V4", "V8"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("emulated:rng", "--only", "V99"), "no statement 'V99'"),
        (("emulated:rng", "--only", ","), "names no statement"),
        (("emulated:rng", "--output", "/nowhere/at/all.json"), "--output /nowhere/at/all.json"),
        (("emulated:rng", "--trace", "/nowhere/at/all.json"), "--trace /nowhere/at/all.json"),
        (("emulated:rng", "--trigger-command", " "), "the trigger command is empty"),
        (("emulated:rng", "--json", "--format", "tap"), "exclude each other"),
        (("emulated:rng", "--scratch", "0-7"), "--scratch is for the workloads of block devices"),
        ((), "needs a LOCATOR"),
    ],
)
def test_bad_input_is_status_2_with_a_sentence(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_the_catalogue_needs_no_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list") == 0
    text = capsys.readouterr().out
    assert all(id_ in text for id_ in ("D1 ", "V16 ", "R7 ", "C3 ", "I8 "))
    assert run("--list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)["statements"]
    assert next(row for row in rows if row["id"] == "V4")["implies"] == ["V3", "V10", "V11"]


@pytest.mark.parametrize("format_", ["rich", "json", "junit", "tap", "markdown", "html"])
def test_a_result_rendered_again_is_the_same_report(
    format_: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result, first, second = (str(tmp_path / name) for name in ("result.json", "first", "second"))
    assert run("emulated:rng", "--format", "json", "--output", result) == 0
    assert main(["report", result, "--format", format_, "--output", first]) == 0
    assert main(["report", result, result, "--format", format_, "--output", second]) == 0
    assert capsys.readouterr().out == ""
    text = Path(first).read_text()
    assert "V16" in text
    if format_ == "json":
        assert json.loads(text) == json.loads(Path(result).read_text())
    assert Path(second).read_text().count("V16") >= 1


def test_a_newer_or_damaged_result_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "result.json"
    path.write_text('{"schema": "uvirtio/check", "version": 99}')
    assert main(["report", str(path)]) == 2
    assert "newer uvirtio" in capsys.readouterr().err
    path.write_text('{"schema": "uvirtio/che')
    assert main(["report", str(path)]) == 2


def test_the_trigger_command_is_used_instead_of_the_bus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log"
    assert run("emulated:blk", "--only", "V7", "--trigger-command", f"echo >>{log}", "--timeout", "1", "--json") == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    # The command did nothing to the device: that does not show as a notification, so nothing is judged.
    assert result["verdict"] == "SKIP"
    assert "change_config" in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_reports_what_it_knows_resets_the_device_and_ends_with_130(
    number: signal.Signals, tmp_path: Path
) -> None:
    result, trace = tmp_path / "result.json", tmp_path / "trace"
    words = [
        "emulated:rng",
        "--only",
        "V8,S1",
        "--cycles",
        "1000000",
        "--format",
        "json",
        "-o",
        str(result),
        "--trace",
        str(trace),
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in (".", "tools", "drivers"))}
    with subprocess.Popen(
        [sys.executable, "-m", "uvirtio", "check", *words],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not (trace.exists() and trace.stat().st_size > 1_000_000) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    document = json.loads(result.read_text())
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["interrupted"] is True
    assert {entry["id"]: entry["verdict"] for entry in document["results"]} == {"V8": "PASS", "S1": "SKIP"}
    status = [json.loads(line) for line in trace.read_text().splitlines() if '"device_status"' in line]
    assert [access["value"] for access in status[-2:]] == ["0x0", "0x0"]
    assert status[-2]["kind"] == "write"
