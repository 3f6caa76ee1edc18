"""The guest has what every other guest test stands on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.vm.guest.host import Host
from tests.vm.guest.waiting import within

_PCI = Path("/sys/bus/pci")
_HUGE = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")


def test_uio_pci_generic_binds_to_a_virtio_device_by_sysfs_writes_and_gives_it_back(devices: dict[str, str]) -> None:
    address = devices["qemu-rng"]
    function = _PCI / "devices" / address
    assert function.joinpath("vendor").read_text().strip() == "0x1af4"
    subprocess.run(["modprobe", "uio_pci_generic"], check=True)
    assert function.joinpath("driver").readlink().name == "virtio-pci"

    function.joinpath("driver/unbind").write_text(address)
    function.joinpath("driver_override").write_text("uio_pci_generic")
    _PCI.joinpath("drivers_probe").write_text(address)
    assert function.joinpath("driver").readlink().name == "uio_pci_generic"
    uio = next(function.joinpath("uio").iterdir()).name
    assert within(5, Path("/dev", uio).is_char_device)

    function.joinpath("driver_override").write_text("\n")
    function.joinpath("driver/unbind").write_text(address)
    _PCI.joinpath("drivers_probe").write_text(address)
    assert function.joinpath("driver").readlink().name == "virtio-pci"


def test_huge_pages_can_be_reserved_and_given_back() -> None:
    before = int(_HUGE.read_text())
    _HUGE.write_text(str(before + 4))
    assert int(_HUGE.read_text()) == before + 4
    _HUGE.write_text(str(before))
    assert int(_HUGE.read_text()) == before


def test_run_is_writable_and_the_kernels_own_driver_loads() -> None:
    marker = Path("/run/uvirtio-smoke")
    marker.write_text("here")
    marker.unlink()
    subprocess.run(["modprobe", "virtio_rng"], check=True)
    assert Path("/sys/bus/virtio/drivers/virtio_rng").is_dir()


def test_the_control_channel_answers_from_the_host(host: Host) -> None:
    assert host.echo({"text": "häßlich \n", "number": 7}) == {"text": "häßlich \n", "number": 7}
    assert host.echo(["again"] * 2000) == ["again"] * 2000
    assert host.qmp("query-status")["status"] == "running"


@pytest.mark.boot("large")
def test_a_large_guest_has_memory_above_four_gibibytes() -> None:
    ranges = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) : System RAM", Path("/proc/iomem").read_text(), re.MULTILINE)
    assert max(int(last, 16) for _, last in ranges) > 1 << 32


@pytest.mark.boot("unplug")
def test_a_device_behind_a_root_port_can_be_unplugged(devices: dict[str, str], host: Host) -> None:
    function = _PCI / "devices" / devices["spare"]
    assert function.joinpath("driver").readlink().name == "virtio-pci"
    host.unplug("spare")
    assert within(5, lambda: not function.exists())
