"""The command line's contract: exit statuses, one JSON document on stdout, messages on stderr, cheap imports."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uvirtio_tools.cli import COMMANDS, build_parser, main

ROOT = Path(__file__).parents[3]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in this process; gives its status, its output, its messages."""

    def command(*words: str) -> tuple[int, str, str]:
        try:
            status = main(words)
        except SystemExit as error:
            status = int(error.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


def suspend(run: Run, locator: str, *words: str) -> tuple[int, dict[str, Any], str]:
    status, output, messages = run("suspend", locator, "--json", *words)
    return status, json.loads(output), messages


@pytest.mark.parametrize(
    ("locator", "words", "verdict", "status", "said"),
    [
        ("emulated:rng", (), "PASS", 0, "suspended and resumed once"),
        ("emulated:rng?profile=slow", (), "PASS", 0, "suspended and resumed once"),
        ("emulated:rng?profile=rfc", ("--dialect", "rfc"), "PASS", 0, "suspended"),
        ("emulated:rng?profile=crosvm", (), "PASS", 0, "suspended"),
        ("emulated:rng?intx=off", (), "PASS", 0, "suspended"),
        ("emulated:rng?queue_size=2", (), "PASS", 0, "suspended"),
        ("emulated:rng?profile=qemu-store", (), "SKIP", 4, "does not offer SUSPEND"),
        ("emulated:rng?profile=rfc", (), "SKIP", 4, "--dialect rfc"),
        ("emulated:rng", ("--dialect", "chromium"), "SKIP", 4, "try --dialect 1.4"),
        ("emulated:rng?profile=stuck", (), "FAIL", 1, "suspend not within 10 s"),
        ("emulated:rng?profile=stuck-resume", (), "FAIL", 1, "resume not within 10 s"),
        ("emulated:rng?profile=refuses", (), "FAIL", 1, "answered suspend with DEVICE_NEEDS_RESET"),
        ("emulated:rng?profile=refuses-resume", (), "FAIL", 1, "answered resume with DEVICE_NEEDS_RESET"),
        ("emulated:rng?profile=qemu-rfc-2025", (), "FAIL", 1, "status 0x00"),
        ("emulated:rng?profile=qemu-rfc-2025-fixed", (), "FAIL", 1, "which no driver may write"),
        ("emulated:rng?fault=V4", (), "FAIL", 1, "used buffers while it said that it was suspended"),
    ],
)
def test_each_profile_ends_with_its_verdict_and_status(
    run: Run, locator: str, words: tuple[str, ...], verdict: str, status: int, said: str
) -> None:
    got, result, messages = suspend(run, locator, *words)
    assert (got, result["verdict"]) == (status, verdict), result["reason"]
    assert said in result["reason"]
    assert result["exit_status"] == status
    assert result["schema"] == "uvirtio/suspend"
    assert (said in messages) == (status == 4)


def test_the_rings_are_shown_to_work_where_suspend_is_not_offered(run: Run) -> None:
    _status, result, _messages = suspend(run, "emulated:rng?profile=qemu-store")
    assert result["workload"]["warm_up"] == 16
    assert result["workload"]["description"] == "requests of the rng driver"


def test_every_cycle_is_reported_with_times_reads_and_what_was_in_flight(run: Run) -> None:
    status, result, _messages = suspend(run, "emulated:rng?profile=slow", "--cycles", "3")
    assert status == 0
    assert [cycle["cycle"] for cycle in result["cycles"]] == [1, 2, 3]
    for cycle in result["cycles"]:
        assert cycle["in_flight_at_suspend"] == 16
        assert cycle["completed"] == 16
        for way in ("suspend", "resume"):
            assert cycle[way]["after"] <= 1.0 <= cycle[way]["seconds"] < 1.1
            assert cycle[way]["reads"] > 1
    assert result["summary"]["suspend"]["count"] == 3
    assert result["simulated_time"] is True


def test_the_report_for_people_names_device_dialect_and_verdict(run: Run) -> None:
    status, output, _messages = run("suspend", "emulated:rng", "--cycles", "12")
    assert status == 0
    for words in ("virtio rng", "feature bit 43", "simulated", "in flight", "PASS", "p99"):
        assert words in output


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("suspnd", "emulated:rng"), 2, "did you mean suspend?"),
        (("suspend",), 2, "LOCATOR"),
        (("suspend", "emulated:rng", "--timeout", "-1"), 2, "more than 0 seconds"),
        (("suspend", "emulated:rng", "--timeout", "nan"), 2, "more than 0 seconds"),
        (("suspend", "emulated:rng", "--hold", "-0.1"), 2, "0 or more seconds"),
        (("suspend", "emulated:rng", "--cycles", "0"), 2, "at least 1"),
        (("suspend", "emulated:rng", "--cycles", "two"), 2, "not a whole number"),
        (("suspend", "emulated:rng", "--dialect", "1.5"), 2, "invalid choice"),
        (("suspend", "emulated:rng", "--without", "NOPE"), 2, "neither a bit number"),
        (("suspend", "emulated:rng", "--without", "43"), 2, "feature 43 cannot be left out"),
        (("suspend", "emulated:rng", "--without", "VERSION_1"), 2, "feature 32 cannot be left out"),
        (("check", "emulated:rng", "--without", "SUSPEND"), 2, "feature 43 cannot be left out"),
        (("bench", "suspend", "--without", "43"), 2, "feature 43 cannot be left out"),
        (("suspend", "emulated:rng", "--trace", "/nonexistent/dir/file"), 2, "No such file"),
        (("suspend", "emulted:rng"), 2, "does not name a device"),
        (("suspend", "emulated:toaster"), 2, "toaster"),
        (("suspend", "emulated:rng?profil=x"), 2, "profil"),
        (("suspend", "emulated:rng?profile=x"), 2, "virtio-1.4"),
        (("suspend", "ffff:1f.0"), 2, "does not name a device"),
        (("suspend", "ffff:ff:1f.0"), 3, "no PCI function"),
        (("bind", "ffff:ff:1f.0"), 3, "no PCI function"),
        (("bind", "emulated:rng"), 2, "not a device of this machine's PCI bus"),
        (("restore", "vfio-user:/run/x.sock"), 2, "not a device of this machine's PCI bus"),
        (("restore", "--all", "00:05.0"), 2, "not both"),
        (("serve", "rng", "--socket", ""), 2, "the path of a socket to listen on is empty"),
        (("suspend", "/dev/nosuch7"), 3, "there is no device called nosuch7"),
    ],
)
def test_bad_input_is_told_on_stderr_with_its_status(run: Run, words: tuple[str, ...], status: int, said: str) -> None:
    got, output, messages = run(*words)
    assert got == status
    assert said in messages
    assert "Traceback" not in messages
    assert output == ""


WRITING = [
    ("suspend", "emulated:rng", "--trace"),
    ("check", "emulated:rng", "--trace"),
    ("check", "emulated:rng", "--only", "V8", "--output"),
    ("check", "--list", "-o"),
    ("dump", "emulated:rng", "--output"),
    ("serve", "rng", "--socket", "/nowhere/socket", "--log"),
]


@pytest.mark.parametrize("words", WRITING, ids=" ".join)
@pytest.mark.parametrize("place", ["/nowhere/at/all", "/", ""])
def test_a_file_that_cannot_be_opened_for_writing_is_a_wrong_request_with_every_command(
    run: Run, words: tuple[str, ...], place: str
) -> None:
    status, output, messages = run(*words, place)
    assert (status, output) == (2, "")
    assert f"{place}: cannot be written: " in messages


@pytest.mark.parametrize("words", WRITING[2:5], ids=" ".join)
def test_a_disk_that_is_full_by_the_time_of_writing_is_the_machines_doing(run: Run, words: tuple[str, ...]) -> None:
    status, output, messages = run(*words, "/dev/full")
    assert (status, output) == (3, "")
    assert "/dev/full: cannot be written: No space left on device" in messages


def test_a_dash_is_standard_output_for_every_output(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (("check", "emulated:rng", "--only", "V8", "--json"), ("dump", "emulated:rng")):
        status, output, _messages = run(*words, "-o", "-")
        assert status == 0
        assert json.loads(output)["schema"]
    assert list(tmp_path.iterdir()) == []


def test_the_trace_has_one_line_for_each_register_access(run: Run, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    status, _output, _messages = run("suspend", "emulated:rng", "--trace", str(trace))
    assert status == 0
    rows = [json.loads(line) for line in trace.read_text().splitlines()]
    written = [row["value"] for row in rows if row["kind"] == "write" and row["register"] == "device_status"]
    assert written == ["0x0", "0x1", "0x3", "0xb", "0xf", "0x1f", "0x1f", "0x0"]
    assert {row["width"] for row in rows if row["register"] == "device_status"} == {1}
    assert any(row["kind"] == "publish" for row in rows)
    assert not any(row["deviation"] for row in rows)


def test_every_command_describes_itself() -> None:
    parser = build_parser()
    for name in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            parser.parse_args([name, "--help"])
        assert ended.value.code == 0


HEAVY = ("rich", "textual", "pyudev", "periphery", "asyncio", "ctypes.util")


def test_importing_the_library_is_cheap() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import uvirtio, uvirtio.device, uvirtio.suspend, uvirtio.bus.opening"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "uvirtio.device" in imported
    assert not [name for name in imported for heavy in HEAVY if name == heavy or name.startswith(heavy + ".")]


def test_the_bare_checkout_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uvirtio", "--version"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.startswith("uvirtio ")
