"""Every device type beside rng in a real guest: under its workload through UIO, suspended a hundred times, given back."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from uvirtio_tools.cli import main

pytestmark = pytest.mark.boot("types")

_DEVICES = Path("/sys/bus/pci/devices")
_SIZE = 4096
#: Sectors of the block device that a test may write, as a user would name them.
_FIRST, _LAST = 2048, 6143


def _run(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    capfd.readouterr()
    status = main(words)
    said = capfd.readouterr()
    return status, json.loads(said.out) if said.out else {}, said.err


def _driver(address: str) -> str:
    link = _DEVICES / address / "driver"
    return link.readlink().name if link.exists() else ""


def _disk(address: str) -> Path:
    """The kernel's block device on this function, which it may take a moment to make."""
    subprocess.run(["modprobe", "virtio_blk"], check=True)
    deadline = time.monotonic() + 10
    while not (names := list(_DEVICES.glob(f"{address}/virtio*/block/*"))):
        assert time.monotonic() < deadline, f"the kernel made no disk of {address}"
        time.sleep(0.05)
    return Path("/dev") / names[0].name


def _digests(disk: Path) -> list[str]:
    """A checksum of the sectors before the scratch area, of it, and of those behind it, as the kernel reads them."""
    data = disk.read_bytes()
    areas = data[: _FIRST * 512], data[_FIRST * 512 : (_LAST + 1) * 512], data[(_LAST + 1) * 512 :]
    return [hashlib.sha256(area).hexdigest() for area in areas]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("device", "words", "proves"),
    [
        ("blk", ("--scratch", f"{_FIRST}-{_LAST}"), "read back undamaged, from its latest write"),
        ("net", ("--peer", "echo"), "every frame returned from the echoing peer"),
        ("console", ("--peer", "echo"), "every byte of the stream returned"),
        ("balloon", (), "pages that were not in the balloon kept their contents"),
        ("input", (), "answers about itself stayed the same"),
    ],
)
def test_a_hundred_cycles_under_the_workload_lose_nothing(
    capfd: pytest.CaptureFixture[str],
    devices: dict[str, str],
    boot: dict[str, Any],
    device: str,
    words: tuple[str, ...],
    proves: str,
) -> None:
    address, log = devices[device], boot["devices"][device]["log"]
    before = len(_rows(log))
    status, result, messages = _run(capfd, "suspend", address, "--json", "--cycles", "100", "--hold", "0.01", *words)
    assert status == 0, messages + result.get("reason", "")
    assert (result["verdict"], len(result["cycles"])) == ("PASS", 100)
    assert proves in result["workload"]["proves"]
    # A guest without KVM may be slower than the device now and then; most suspends fall among requests in flight.
    assert sum(cycle["in_flight_at_suspend"] > 0 for cycle in result["cycles"]) > 50
    assert sum(cycle["left_waiting_while_suspended"] for cycle in result["cycles"]) > 0
    assert _driver(address) == "virtio-pci"
    assert _faults_of_ours(_rows(log)[before:]) == []


def _rows(log: str) -> list[dict[str, Any]]:
    """What the device's server has recorded so far; it has served other tests before."""
    return [json.loads(line) for line in Path(log).read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def _faults_of_ours(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the server found wrong between the reset before the first suspend and the last resume; the kernel's driver has faults too."""
    writes = [
        (at, int(row["value"], 0))
        for at, row in enumerate(rows)
        if row.get("register") == "device_status" and row["kind"] == "write"
    ]
    suspends = [at for at, value in writes if value == 0x1F]
    start = max(at for at, value in writes if value == 0 and at < suspends[0])
    return [row for row in rows[start : suspends[-1]] if row["kind"] == "fault"]


@pytest.mark.timeout(240)
def test_a_disk_is_written_in_its_scratch_sectors_alone_and_not_at_all_without(
    capfd: pytest.CaptureFixture[str], devices: dict[str, str]
) -> None:
    address = devices["blk"]
    disk = _disk(address)
    subprocess.run(["dd", "if=/dev/urandom", f"of={disk}", "bs=1M", "conv=fsync", "status=none", "count=8"], check=True)
    before = _digests(disk)
    status, result, messages = _run(capfd, "suspend", address, "--json", "--cycles", "5", "--hold", "0.01")
    assert status == 0, messages + result.get("reason", "")
    assert "nothing was written" in result["workload"]["proves"]
    assert _digests(_disk(address)) == before
    status, result, messages = _run(
        capfd, "suspend", address, "--json", "--cycles", "5", "--hold", "0.01", "--scratch", f"{_FIRST}-{_LAST}"
    )
    assert status == 0, messages + result.get("reason", "")
    after = _digests(_disk(address))
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1] != before[1]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("device", "words", "says"),
    [
        ("blk", ("--scratch", "0-99999999"), "past the end"),
        ("blk", ("--scratch", "1-1", "--peer", "echo"), "--peer is for the workloads of network and console devices"),
        ("net", ("--scratch", "0-99"), "--scratch is for the workloads of block devices"),
    ],
)
def test_options_that_do_not_fit_the_device_are_refused_and_it_is_given_back(
    capfd: pytest.CaptureFixture[str], devices: dict[str, str], device: str, words: tuple[str, ...], says: str
) -> None:
    capfd.readouterr()
    status = main(("suspend", devices[device], *words))
    assert status == 2
    assert re.search(re.escape(says), capfd.readouterr().err.replace("\n", " "))
    assert _driver(devices[device]) == "virtio-pci"
