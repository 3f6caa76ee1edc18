"""Messages of MSI-X over uio_pci_generic: devices without an INTx pin, and QEMU's own by each way. No interrupt is involved."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.vm.guest.waiting import within
from uvirtio.bus.opening import open_function
from uvirtio.device import Device
from uvirtio.messages import Way
from uvirtio.pci.msix import Vector, VectorTable
from uvirtio.spec.pci import MsixControl
from uvirtio_tools.cli import main
from uvirtio_tools.driving.bring_up import BringUp
from uvirtio_tools.driving.options import RunOptions

pytestmark = [pytest.mark.boot("msix"), pytest.mark.timeout(600)]

_PCI = Path("/sys/bus/pci/devices")
_HW_RANDOM = Path("/sys/class/misc/hw_random")
_ROUNDS = 100


def _driver(address: str) -> str | None:
    link = _PCI / address / "driver"
    return link.readlink().name if link.exists() else None


def _counted() -> list[str]:
    """What /proc/interrupts says of functions on uio_pci_generic."""
    return [line for line in Path("/proc/interrupts").read_text().splitlines() if "uio" in line]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Runs a command line in this process; gives its status and its document."""

    def command(*words: str) -> tuple[int, dict[str, Any]]:
        capfd.readouterr()
        status = main([*words, "--json"])
        return status, json.loads(capfd.readouterr().out)

    return command


@pytest.mark.parametrize("name", ["rng-quiet", "blk-quiet", "net-quiet"])
def test_a_device_without_a_pin_is_suspended_by_messages_and_nothing_is_lost(
    run: Callable[..., tuple[int, dict[str, Any]]], devices: dict[str, str], name: str
) -> None:
    address = devices[name]
    before = _driver(address)
    status, result = run("suspend", address, "--cycles", str(_ROUNDS), "--hold", "0.01")
    assert (status, result["verdict"]) == (0, "PASS"), result["reason"]
    assert result["device"]["interrupt"] == "MSI-X, messages into memory"
    assert _driver(address) == before == "virtio-pci"


@pytest.mark.parametrize("name", ["rng-quiet", "blk-quiet"])
def test_its_notifications_are_judged_and_not_skipped(
    run: Callable[..., tuple[int, dict[str, Any]]], devices: dict[str, str], name: str
) -> None:
    status, result = run("check", devices[name], "--only", "V3,V12,N1,N2,P19,P20,P22")
    assert status == 0
    found = {row["id"]: row["verdict"] for row in result["results"]}
    expected = ("V3", "N1", "N2", "P19", "P20")
    assert {id_: found[id_] for id_ in expected} == dict.fromkeys(expected, "PASS"), result["results"]


@pytest.mark.parametrize("way", [Way.MEMORY, Way.PENDING])
@pytest.mark.parametrize("name", ["qemu-rng", "qemu-blk", "qemu-net"])
def test_qemus_own_device_shows_every_request_by_each_way_and_interrupts_nobody(
    devices: dict[str, str], name: str, way: Way
) -> None:
    with Device(open_function(devices[name])) as device:
        device.reset()
        device.use_messages(way)
        bring_up = BringUp(device, RunOptions())
        bring_up.start(suspend=False)
        workload, told = bring_up.workload, device.notifications
        assert workload is not None
        assert device.messages is not None
        assert device.messages.way is way
        quiet = _counted()
        for number in range(1, _ROUNDS + 1):
            before = told.used
            workload.submit(1)
            workload.kick()
            shown = within(10, lambda before=before: bool(told.wait(0.1)) and told.used > before)  # type: ignore[misc]
            assert shown, f"request {number} came back without a message"
            assert within(10, lambda: workload.reap() or not workload.outstanding)
            if name == "qemu-rng":
                assert told.used == before + 1
        workload.verify()
        assert _counted() == quiet
    assert _driver(devices[name]) == "virtio-pci"


def _unbound(address: str) -> tuple[int, list[Vector]]:
    """Message control and the table, with no driver on the function."""
    with Device(open_function(address)) as device:
        table = VectorTable.of(device.function.config, device.function.bar, device.capabilities)
        assert table is not None
        return table.control, [table.vector(number) for number in range(table.count)]


def _works(name: str, address: str) -> bool:
    """Whether the kernel's driver does ordinary work on it again."""
    if _driver(address) != "virtio-pci":
        return False
    if name.startswith("blk"):
        assert within(10, lambda: bool(list((_PCI / address).glob("virtio*/block/*"))))
        disk = next((_PCI / address).glob("virtio*/block/*")).name
        return len(Path("/dev", disk).read_bytes()) == 1 << 20
    assert within(10, lambda: "virtio_rng" in (_HW_RANDOM / "rng_available").read_text())
    return any(_draws_from(source, address) for source in (_HW_RANDOM / "rng_available").read_text().split())


def _draws_from(source: str, address: str) -> bool:
    """Whether random bytes of one of the kernel's sources come with interrupts of this function."""
    if not source.startswith("virtio_rng"):
        return False
    (_HW_RANDOM / "rng_current").write_text(source)
    virtio = next((_PCI / address).glob("virtio*")).name
    before = [line for line in Path("/proc/interrupts").read_text().splitlines() if f" {virtio}-" in line]
    for _ in range(4):
        with open("/dev/hwrng", "rb", buffering=0) as file:
            assert file.read(64)
    return [line for line in Path("/proc/interrupts").read_text().splitlines() if f" {virtio}-" in line] != before


def _open_in(pid: int) -> list[str]:
    """What a process has open; nothing once it is gone, reaped or not."""
    try:
        return [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []


@pytest.mark.parametrize("victims", ["worker", "supervisor", "both"])
@pytest.mark.parametrize("name", ["rng-quiet", "blk-quiet"])
def test_vectors_are_given_back_after_a_kill_and_the_kernels_driver_works(
    run: Callable[..., tuple[int, dict[str, Any]]], devices: dict[str, str], name: str, victims: str
) -> None:
    address = devices[name]
    before = _unbound(address)
    words = [sys.executable, "-m", "uvirtio", "suspend", address, "--cycles", "100000", "--interrupts", "msix"]
    supervisor = subprocess.Popen(words, cwd=Path(__file__).parents[3], stdout=subprocess.DEVNULL)
    journal = Path("/run/uvirtio", f"{address}.json")
    assert within(60, lambda: journal.exists() and '"entries"' in journal.read_text())
    time.sleep(1.0)
    worker = int(json.loads(journal.read_text())["pid"])
    assert worker != supervisor.pid
    # Both: the supervisor first, which must not have the time to give anything back.
    for pid in {"worker": [worker], "supervisor": [supervisor.pid], "both": [supervisor.pid, worker]}[victims]:
        os.kill(pid, signal.SIGKILL)
    supervisor.wait(60)
    if victims == "both":
        assert within(20, lambda: not _open_in(worker))
        assert _driver(address) == "uio_pci_generic"
        assert run("restore", address)[0] == 0
    assert within(40, lambda: _driver(address) == "virtio-pci" and not journal.exists())
    assert _works(name, address)
    control, entries = _unbound(address)
    assert not control & MsixControl.ENABLE
    assert (control, entries) == before
