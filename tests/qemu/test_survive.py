"""QEMU's own devices while their machine is paused, saved and migrated to a new process. ``make soak`` does it more often."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab import modern_qemu
from tests.soak.survive import KINDS, moved
from uvirtio_tools.cli import main

pytestmark = pytest.mark.needs("modern-qemu", "qemu")


@pytest.fixture(autouse=True)
def newest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab's QEMU."""
    monkeypatch.setenv("UVIRTIO_QEMU", str(modern_qemu()))


@pytest.mark.parametrize("packed", [False, True], ids=["split", "packed"])
def test_four_devices_survive_pauses_snapshots_and_migrations(packed: bool, nothing_left: Path) -> None:
    for run in moved(str(modern_qemu()), packed, {"pause": 2, "snapshot": 2, "migrate": 2}, seed=1):
        assert run.verdict.value == "PASS", [(each.locator, each.incidents) for each in run.devices]
        assert sum(run.events.values()) == 2 * len(KINDS)


def _document(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    status = main(["survive", *words, "--json"])
    document: dict[str, object] = json.loads(capsys.readouterr().out)
    assert document["exit_status"] == status
    return document


def test_what_waits_in_the_rings_is_served_by_the_next_process(
    capsys: pytest.CaptureFixture[str], nothing_left: Path
) -> None:
    slow = "qemu:virtio-rng-pci?max-bytes=192&period=100"  # so many bytes in so many milliseconds
    document = _document(capsys, slow, "--event", "migrate", "--events", "4", "--seed", "2", "--interrupts", "msix")
    (device,) = document["devices"]  # type: ignore[misc]
    assert document["verdict"] == "PASS"
    assert {"U1", "U2", "U7", "U8", "U9"} <= {each["id"] for each in device["results"] if each["verdict"] == "PASS"}


def test_a_device_that_was_taken_out_or_reset_is_brought_up_again(
    capsys: pytest.CaptureFixture[str], nothing_left: Path
) -> None:
    words = ("qemu:blk", "qemu:net", "--event", "replug", "--event", "reset", "--event", "change_config")
    document = _document(capsys, *words, "--events", "6")
    assert document["verdict"] == "PASS"
    timeline = [each for device in document["devices"] for each in device["timeline"]]  # type: ignore[attr-defined]
    assert {each["name"] for each in timeline} == {"replug", "reset", "change_config"}
    assert {each["brought_up_again"] for each in timeline if each["name"] in ("replug", "reset")} == {True}
    assert {each["brought_up_again"] for each in timeline if each["name"] == "change_config"} == {False}


def test_an_older_qemu_moves_as_well(capsys: pytest.CaptureFixture[str], nothing_left: Path) -> None:
    document = _document(
        capsys, "qemu:rng?qemu=qemu-system-x86_64", "--event", "snapshot", "--event", "migrate", "--events", "2"
    )
    assert document["verdict"] == "PASS"
