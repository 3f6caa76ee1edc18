"""A served device that is saved and restored: in its server, and by another process that goes on with it."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import pytest

from tests.emulated.served import control, served
from tests.soak.survive import served_elsewhere
from uvirtio_tools.cli import main


@pytest.mark.parametrize(
    ("kind", "packed", "interrupts"), [("rng", True, "msix"), ("blk --set size=128K", False, "intx")]
)
def test_suspended_saved_and_restored_in_another_process_it_loses_nothing(
    kind: str, packed: bool, interrupts: str, tmp_path: Path
) -> None:
    run = served_elsewhere(kind, packed, interrupts, 3, tmp_path)
    assert (run.verdict.value, [incident.name for incident in run.incidents]) == ("PASS", ["migrate"] * 3)
    assert {"U3", "U16"} <= {result.statement.id for result in run.results if result.verdict.value == "PASS"}


def test_what_is_lost_on_the_way_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served(tmp_path, "rng", "--fault", "U8", "--set", "features=-RING_PACKED"):
        where = f"vfio-user:{tmp_path / 's'}?control={tmp_path / 'c'}"
        assert main(["survive", where, "--event", "migrate", "--event", "restore", "--events", "3", "--json"]) == 1
    (device,) = json.loads(capsys.readouterr().out)["devices"]
    assert {each["id"] for each in device["results"] if each["verdict"] == "FAIL"} == {"U8"}


def test_it_is_saved_to_a_file_and_another_server_begins_with_that(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with served(tmp_path, "rng", "--save", str(state)) as server:
        assert control(tmp_path, do="save") == {"ok": True}
        assert server.wait(10) == 0
    assert json.loads(state.read_text())["schema"] == "uvirtio/device"
    with served(tmp_path, "rng", "--restore", str(state)):
        assert "respawn" in str(control(tmp_path, do="available"))


def test_the_process_stays_and_the_program_is_another(tmp_path: Path) -> None:
    with served(tmp_path, "rng") as server:
        assert control(tmp_path, do="respawn") == {"ok": True}
        words, deadline = Path(f"/proc/{server.pid}/cmdline"), time.monotonic() + 20
        while "--restore" not in words.read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        while True:
            with contextlib.suppress(OSError):
                assert control(tmp_path, do="state")["ok"]
                break
            assert time.monotonic() < deadline
        assert "--restore" in words.read_text()


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense"])
def test_a_file_that_is_no_state_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state").write_text(text)
    words = ["serve", "rng", "--socket", str(tmp_path / "s"), "--restore", str(tmp_path / "state")]
    assert main(words) == 2
    assert "state of an emulated device" in capsys.readouterr().err
