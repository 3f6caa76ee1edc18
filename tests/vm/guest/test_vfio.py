"""Devices behind an IOMMU, driven through vfio-pci: their bus addresses are the driver's choice, their interrupts eventfds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uvirtio_tools.cli import main

pytestmark = [pytest.mark.boot("vfio"), pytest.mark.timeout(600)]

_PCI = Path("/sys/bus/pci/devices")
_ROOT = Path(__file__).parents[3]
_ROUNDS = 100

Run = Callable[..., tuple[int, dict[str, Any]]]


def _driver(address: str) -> str | None:
    link = _PCI / address / "driver"
    return link.readlink().name if link.exists() else None


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in this process; gives its status and its document."""

    def command(*words: str) -> tuple[int, dict[str, Any]]:
        capfd.readouterr()
        status = main([*words, "--json"])
        said = capfd.readouterr()
        return status, json.loads(said.out) if said.out else {"said": said.err}

    return command


def _moves_data(address: str) -> bool:
    """Whether the kernel's driver of an entropy device works: it makes it the current source, and reads."""
    child = next((_PCI / address).glob("virtio*"))
    name = child.name.replace("virtio", "virtio_rng.")
    source = Path("/sys/class/misc/hw_random/rng_current")
    for candidate in (*[name], *Path("/sys/class/misc/hw_random/rng_available").read_text().split()):
        try:
            source.write_text(candidate)
        except OSError:
            continue
        with open("/dev/hwrng", "rb", buffering=0) as file:
            return len(file.read(16)) > 0
    return False


@pytest.mark.parametrize("name", ["rng", "blk", "net", "rng-quiet"])
def test_a_served_device_is_suspended_again_and_again_and_nothing_is_lost(
    run: Run, devices: dict[str, str], name: str
) -> None:
    before = _driver(devices[name])
    status, result = run("suspend", f"vfio:{devices[name]}", "--cycles", str(_ROUNDS), "--hold", "0.01")
    assert (status, result["verdict"]) == (0, "PASS"), result
    assert result["device"]["dma"] == "mapped in the IOMMU at bus addresses of our choice"
    assert "eventfd" in result["device"]["interrupt"] or "events of the bus" in result["device"]["interrupt"]
    assert _driver(devices[name]) == before == "virtio-pci"
