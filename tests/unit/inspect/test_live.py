"""Devices over time: events, interrupt rates, devices that go and come back; watched with keys and without."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.uio.fake import RNG, FakeMachine
from uvirtio.programs import environment, python_module
from uvirtio_tools.cli import main
from uvirtio_tools.inspect.keys import Keys, require_terminal
from uvirtio_tools.inspect.live import LiveDevice, LiveMachine, interrupts_of
from uvirtio_tools.inspect.live_view import View
from uvirtio_tools.inspect.readiness import examine
from uvirtio_tools.inspect.rings import decode_ring

ROOT = Path(__file__).parents[3]


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    fake = FakeMachine(tmp_path / "machine")
    fake.add()
    fake.child(features=1 << 32)
    return fake


def test_what_changes_becomes_an_event(machine: FakeMachine) -> None:
    device = LiveDevice(RNG, sysfs=machine)
    assert device.refresh()
    assert not device.refresh()
    features = next(machine.function(RNG).glob("virtio*")) / "features"
    features.write_text(f"{1 << 32 | 1 << 43:064b}"[::-1])
    assert device.refresh()
    told = [event.text for event in device.events]
    assert "feature 43 F_SUSPEND: not there -> offered unknown, accepted yes" in told
    assert any(text.startswith("SUSPEND: unknown") for text in told)


def test_a_device_that_goes_and_comes_back_says_both_and_keeps_what_was_known(machine: FakeMachine) -> None:
    machine.add("0000:00:06.0", number=4)
    device = LiveDevice(RNG, sysfs=machine)
    device.refresh()
    machine.remove()
    assert device.refresh()
    assert device.gone
    assert device.description is not None
    assert not device.refresh()
    machine.add(number=7)
    assert device.refresh()
    assert not device.gone
    assert "it is there again" in [event.text for event in device.events]


def test_what_was_never_there_is_an_error_and_not_gone(machine: FakeMachine) -> None:
    device = LiveDevice("0000:00:1f.7", sysfs=machine)
    device.refresh()
    assert device.error
    assert not device.gone


def test_interrupts_are_added_up_over_processors_and_vectors(tmp_path: Path) -> None:
    table = tmp_path / "interrupts"
    table.write_text(
        "           CPU0       CPU1\n  0:  99 99 IO-APIC timer\n 11:  5  7 IO-APIC virtio\n 24: 100 0 PCI-MSI q\nNMI: 1 2 x\n"
    )
    assert interrupts_of([11, 24], table) == 112
    assert interrupts_of([12], table) is None
    assert interrupts_of([11], tmp_path / "missing") is None


def test_rows_stay_in_the_order_of_their_addresses_as_numbers(machine: FakeMachine) -> None:
    for number, address in enumerate(("10000:00:02.0", "2000:00:01.0"), 7):
        machine.add(address, number=number)
    every = LiveMachine(sysfs=machine)
    every.refresh()
    machine.remove("2000:00:01.0")
    every.refresh()
    assert [row.locator for row in every.rows] == [RNG, "2000:00:01.0", "10000:00:02.0"]


def test_the_list_keeps_a_row_for_what_is_gone_until_it_is_back(machine: FakeMachine) -> None:
    machine.add("0000:00:06.0", number=4)
    every = LiveMachine(sysfs=machine)
    every.refresh()
    assert [(row.locator, row.gone) for row in every.rows] == [(RNG, False), ("0000:00:06.0", False)]
    machine.remove()
    every.refresh()
    assert [(row.locator, row.gone) for row in every.rows] == [(RNG, True), ("0000:00:06.0", False)]
    machine.add(number=7)
    every.refresh()
    assert not any(row.gone for row in every.rows)


def test_a_process_that_dies_by_sigbus_while_it_reads_registers_is_a_removed_device(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGBUS)"]
    monkeypatch.setattr("uvirtio_tools.inspect.live.python_module", lambda *_: bus)
    monkeypatch.setattr("uvirtio_tools.inspect.live.Sysfs", lambda: machine)
    machine.remove()
    machine.add(driver=None)
    device = LiveDevice(RNG)
    device.refresh()
    assert "SIGBUS" in device.error


def test_a_command_in_another_process_finds_this_package(tmp_path: Path) -> None:
    done = subprocess.run(
        python_module("uvirtio", "show", "emulated:rng", "--json"),
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["type_name"] == "rng"


# -- watch -------------------------------------------------------------------------------------------------------------


def _screen(view: View, width: int = 80, height: int = 24) -> list[str]:
    console = Console(width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(view.lines(height))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_keys_walk_from_the_list_into_a_device_and_back() -> None:
    view = View(LiveMachine(named=["emulated:rng", "emulated:rng?profile=crosvm"]), None, 1.0)
    view.refresh()
    assert any(line.startswith("> emulated:rng ") for line in _screen(view))
    assert view.key("down")
    assert any(line.startswith("> emulated:rng?profile=crosvm") for line in _screen(view))
    view.key("enter")
    shown = _screen(view)
    assert "[overview]" in shown[0]
    assert any(line.startswith("SUSPEND") and "chromium" in line for line in shown)
    for page in ("features", "queues", "configuration", "events"):
        view.key("right")
        assert f"[{page}]" in _screen(view)[0]
    view.key("b")
    assert view.device is None
    assert not view.key("q")


def test_a_small_terminal_keeps_the_line_of_keys() -> None:
    view = View(None, LiveDevice("emulated:rng"), 1.0)
    view.refresh()
    lines = _screen(view, 60, 8)
    assert len(lines) == 8
    assert "q quit" in lines[-1]


def test_pausing_and_speed_are_told() -> None:
    view = View(None, LiveDevice("emulated:rng"), 1.0)
    view.refresh()
    view.key("+")
    assert "every 0.5 s" in _screen(view)[-1]
    view.key(" ")
    assert "paused" in _screen(view)[-1]


def test_watch_without_a_terminal_is_refused_with_what_to_do_instead(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "emulated:rng"]) == 3
    assert "--count" in capsys.readouterr().err
    assert main(["tui"]) == 3
    assert "needs a terminal" in capsys.readouterr().err


def test_watch_counts_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "emulated:rng", "--count", "2", "--interval", "0.01", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["looks"]) == ("uvirtio/watch", 2)
    assert [event["text"] for event in document["events"]] == ["first look: status 0x00 (reset)"]


def test_arrow_keys_arrive_as_one_key_and_a_lone_escape_as_itself() -> None:
    reader, writer = os.pipe()
    try:
        keyboard = Keys(reader)
        os.write(writer, b"\x1b[A\x1bOBq\r")
        assert [keyboard.wait(1) for _ in range(4)] == ["up", "down", "q", "enter"]
        assert keyboard.wait(0) is None
        os.write(writer, b"\x1b")
        assert keyboard.wait(1) == "escape"
    finally:
        os.close(reader)
        os.close(writer)


def test_a_dumb_terminal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    with pytest.raises(Exception, match="TERM is dumb"):
        require_terminal("it", "do something else")


def test_the_size_of_a_terminal_is_its_own_and_not_what_an_earlier_one_left_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parent, child = pty.openpty()
    monkeypatch.setenv("TERM", "linux")
    with os.fdopen(child, "r+b", buffering=0) as terminal, os.fdopen(parent, "rb", buffering=0):
        for stream in ("stdin", "stdout"):
            monkeypatch.setattr(f"sys.{stream}", terminal)
        for size, told in (((40, 140), os.terminal_size((140, 40))), ((0, 0), os.terminal_size((80, 24)))):
            termios.tcsetwinsize(terminal.fileno(), size)
            monkeypatch.setenv("COLUMNS", "80")
            monkeypatch.setenv("LINES", "24")
            require_terminal("it", "do something else")
            monkeypatch.setattr("sys.__stdout__", terminal)
            assert shutil.get_terminal_size() == told


@pytest.mark.parametrize("locale", ["C.UTF-8", "POSIX"])
def test_watch_on_a_terminal_draws_takes_keys_and_puts_the_terminal_back(locale: str) -> None:
    environ = os.environ | {"TERM": "linux", "LC_ALL": locale, "NO_COLOR": "1", "PYTHONUTF8": "0"}
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "uvirtio", "watch", "emulated:rng"], cwd=ROOT, stdin=child, stdout=child, stderr=child,
        env=environ,
    )  # fmt: skip
    os.close(child)
    seen = b""
    try:
        deadline = time.monotonic() + 30
        while b"q quit" not in seen and time.monotonic() < deadline:
            seen += os.read(parent, 65536)
        os.write(parent, b"q")
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(parent)
    assert b"entropy source" in seen
    assert b"\x1b[3" not in seen  # no colours


# -- rings -------------------------------------------------------------------------------------------------------------


def test_a_split_ring_is_told_newest_entries_last_across_the_end_of_the_ring() -> None:
    table = bytearray(16 * 4)
    table[16:32] = (0x1234).to_bytes(8, "little") + (64).to_bytes(4, "little") + bytes([3, 0, 2, 0])
    avail = bytearray(6 + 2 * 4)
    avail[2:4] = (5).to_bytes(2, "little")
    avail[4:12] = b"".join(head.to_bytes(2, "little") for head in (3, 1, 2, 0))
    used = bytearray(6 + 8 * 4)
    used[2:4] = (1).to_bytes(2, "little")
    used[4:12] = (1).to_bytes(4, "little") + (64).to_bytes(4, "little")
    image = decode_ring("split", 4, bytes(table + avail + used))
    assert image.slots[1].address == 0x1234
    assert (image.slots[1].flags, image.slots[1].link) == ("NEXT WRITE", "next 2")
    assert image.available == ("[1] head 1", "[2] head 2", "[3] head 0", "[0] head 3")
    assert image.used == ("[0] id 1, 64 bytes",)


def test_a_packed_ring_shows_who_owns_a_descriptor() -> None:
    slot = (
        (0x1000).to_bytes(8, "little")
        + (8).to_bytes(4, "little")
        + (7).to_bytes(2, "little")
        + (0x82).to_bytes(2, "little")
    )
    image = decode_ring("packed", 2, slot + bytes(16) + bytes(8))
    assert (image.slots[0].flags, image.slots[0].link) == ("WRITE AVAIL", "id 7")


# -- doctor ------------------------------------------------------------------------------------------------------------


def test_doctor_says_what_to_type_where_something_is_missing(machine: FakeMachine, tmp_path: Path) -> None:
    machine.module_there = False
    (machine.sys / "kernel/security").mkdir(parents=True)
    (machine.sys / "kernel/security/lockdown").write_text("none [integrity] confidentiality\n")
    (machine.function(RNG).resolve() / "config").write_bytes(bytes(256))
    facts = {fact.name: fact for fact in examine(machine, tmp_path / "run")}
    assert facts["kernel module"].state == "missing"
    assert "apt install" in facts["kernel module"].advice
    assert facts["lockdown"].state == "missing"
    assert "lockdown=none" in facts["lockdown"].advice
    assert facts["interrupt pins"].state == "note"
    assert facts["devices"].state == "ok"
    assert "00:05.0" in facts


def test_doctor_on_an_empty_machine_names_what_needs_no_device(tmp_path: Path) -> None:
    facts = {fact.name: fact for fact in examine(FakeMachine(tmp_path / "machine"), tmp_path / "run")}
    assert facts["devices"].state in ("note", "missing")
    assert facts["devices"].advice


def test_doctor_json_has_one_fact_a_line_and_status_1_says_that_something_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = main(["doctor", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert status == any(fact["state"] == "missing" for fact in document["facts"])
    assert document["schema"] == "uvirtio/doctor"
    assert {"name", "state", "text", "advice"} == set(document["facts"][0])
    assert {fact["state"] for fact in document["facts"]} <= {"ok", "note", "missing"}
