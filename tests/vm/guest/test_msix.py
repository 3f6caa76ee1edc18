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
from uvirtio.pci.msix import VectorTable
from uvirtio_drivers import find_driver, workload_of
from uvirtio_tools.cli import main

pytestmark = [pytest.mark.boot("msix"), pytest.mark.timeout(600)]

_PCI = Path("/sys/bus/pci/devices")
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
    assert {found[id_] for id_ in ("V3", "N1", "N2", "P19", "P20")} == {"PASS"}


@pytest.mark.parametrize("way", [Way.MEMORY, Way.PENDING])
def test_qemus_own_device_shows_every_request_by_each_way_and_interrupts_nobody(
    devices: dict[str, str], way: Way
) -> None:
    with Device(open_function(devices["qemu-rng"])) as device:
        device.reset()
        device.use_messages(way)
        driver_class = find_driver(device.identity.type)
        device.initialise(driver_class.FEATURES, driver_class.queues(device), dependencies=driver_class.DEPENDENCIES)
        driver = driver_class(device)
        driver.start()
        workload = workload_of(driver)
        quiet = _counted()
        for number in range(1, _ROUNDS + 1):
            workload.submit(1)
            workload.kick()
            assert within(
                10, lambda number=number: device.notifications.wait(0.1) or device.notifications.used == number
            )  # type: ignore[misc]
            assert within(10, lambda: workload.reap() or not workload.outstanding)
            assert device.notifications.used == number
        workload.verify()
        assert _counted() == quiet
    assert _driver(devices["qemu-rng"]) == "virtio-pci"


def test_vectors_are_given_back_when_the_process_is_killed(devices: dict[str, str]) -> None:
    address = devices["rng-quiet"]
    with Device(open_function(address)) as device:
        table = VectorTable.of(device.function.config, device.function.bar, device.capabilities)
        assert table is not None
        before = [table.vector(number) for number in range(table.count)]
    words = [sys.executable, "-m", "uvirtio", "suspend", address, "--cycles", "100000", "--interrupts", "msix"]
    supervisor = subprocess.Popen(words, cwd=Path(__file__).parents[3], stdout=subprocess.DEVNULL)
    journal = Path("/run/uvirtio", f"{address}.json")
    assert within(60, lambda: journal.exists() and '"entries"' in journal.read_text())
    time.sleep(1.0)
    os.kill(json.loads(journal.read_text())["pid"], signal.SIGKILL)
    supervisor.wait(60)
    assert within(20, lambda: _driver(address) == "virtio-pci")
    assert not journal.exists()
    with Device(open_function(address)) as device:
        table = VectorTable.of(device.function.config, device.function.bar, device.capabilities)
        assert table is not None
        assert not table.control & 0x8000
        assert [table.vector(number) for number in range(table.count)] == before
