"""Devices behind an IOMMU, driven through vfio-pci: their bus addresses are the driver's choice, their interrupts eventfds."""

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

from tests.vm.guest.host import Host
from tests.vm.guest.waiting import within
from uvirtio.bus.opening import open_function
from uvirtio.device import Device
from uvirtio.errors import DeviceGone
from uvirtio.messages import Way
from uvirtio_tools.cli import main
from uvirtio_tools.driving.bring_up import BringUp
from uvirtio_tools.driving.options import RunOptions

pytestmark = [pytest.mark.boot("vfio"), pytest.mark.timeout(600)]

_PCI = Path("/sys/bus/pci/devices")
_ROOT = Path(__file__).parents[3]
_HW_RANDOM = Path("/sys/class/misc/hw_random")
_ROUNDS = 100

Run = Callable[..., tuple[int, dict[str, Any]]]


def _driver(address: str) -> str | None:
    link = _PCI / address / "driver"
    return link.readlink().name if link.exists() else None


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in this process; gives its status and its document, or what it said where there is none."""

    def command(*words: str) -> tuple[int, dict[str, Any]]:
        capfd.readouterr()
        status = main([*words, "--json"])
        said = capfd.readouterr()
        return status, json.loads(said.out) if said.out.strip() else {"said": said.err}

    return command


def _entropy_flows(address: str) -> bool:
    """Whether the kernel has an entropy device back and gets bytes from it."""
    child = next((_PCI / address).glob("virtio*")).name
    name = f"virtio_rng.{child.removeprefix('virtio')}"
    sources = (_HW_RANDOM / "rng_available").read_text().split()
    # The kernel counts its sources by itself, so that the number is not always that of the device.
    for source in (name, *(source for source in sources if source.startswith("virtio_rng"))):
        if source in sources:
            (_HW_RANDOM / "rng_current").write_text(source)
            with open("/dev/hwrng", "rb", buffering=0) as file:
                if len(file.read(16)) == 0:
                    return False
    return _driver(address) == "virtio-pci"


# -- suspend and requests ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "interrupts"), [("rng", "intx"), ("rng", "msix"), ("blk", "msix"), ("net", "intx")])
def test_a_served_device_is_suspended_again_and_again_and_nothing_is_lost(
    run: Run, devices: dict[str, str], name: str, interrupts: str
) -> None:
    words = ("--cycles", str(_ROUNDS), "--hold", "0.01", "--interrupts", interrupts)
    status, result = run("suspend", f"vfio:{devices[name]}", *words)
    assert (status, result.get("verdict")) == (0, "PASS"), result
    assert len(result["cycles"]) == _ROUNDS
    assert result["device"]["facts"]["dma"] == "mapped in the IOMMU at bus addresses of our choice"
    told = "INTx, an eventfd from VFIO" if interrupts == "intx" else "MSI-X, events of the bus"
    assert result["device"]["interrupt"] == told
    assert _driver(devices[name]) == "virtio-pci"


def test_one_without_a_pin_notifies_by_events_of_msix(run: Run, devices: dict[str, str]) -> None:
    status, result = run("suspend", devices["rng-quiet"], "--via", "vfio", "--cycles", "10", "--hold", "0.01")
    assert (status, result.get("verdict")) == (0, "PASS"), result
    assert result["device"]["interrupt"] == "MSI-X, events of the bus"


@pytest.mark.parametrize("name", ["rng", "rng-quiet", "blk", "qemu-rng"])
def test_notifications_are_judged_and_not_skipped(run: Run, devices: dict[str, str], name: str) -> None:
    status, result = run("check", f"vfio:{devices[name]}", "--only", "V3,V12,N1,N2,P19,P20")
    assert status == 0, result
    found = {row["id"]: row["verdict"] for row in result["results"]}
    expected = {"N1", "N2", "P19", "P20"} | ({"V3"} if name != "qemu-rng" else set())
    assert {id_: found[id_] for id_ in expected} == dict.fromkeys(expected, "PASS")


@pytest.mark.parametrize("messages", [False, True], ids=["intx", "msix"])
@pytest.mark.parametrize("name", ["qemu-rng", "qemu-blk", "qemu-net"])
def test_qemus_own_device_serves_a_hundred_requests_each_with_its_interrupt(
    devices: dict[str, str], name: str, messages: bool
) -> None:
    with Device(open_function(f"vfio:{devices[name]}")) as device:
        device.reset()
        if messages:
            device.use_messages()
            assert device.messages is not None
            assert device.messages.way is Way.EVENTS
        bring_up = BringUp(device, RunOptions())
        bring_up.start(suspend=False)
        workload = bring_up.workload
        assert workload is not None
        line = device.notifications.line
        for number in range(1, _ROUNDS + 1):
            before = line.count()
            workload.submit(1)
            workload.kick()
            assert within(10, lambda: bool(device.notifications.wait(0.1)))
            assert within(10, lambda: workload.reap() or not workload.outstanding)
            assert line.count() > before, f"request {number} came back without an interrupt"
        workload.verify()
    assert _driver(devices[name]) == "virtio-pci"


def test_bus_addresses_are_chosen_and_lie_where_no_memory_is(devices: dict[str, str]) -> None:
    with Device(open_function(f"vfio:{devices['qemu-rng']}")) as device:
        memory = device.function.dma.allocate(4096)
        assert memory.address >= 0x2_4680_0000
        ranges = [line.split(" : ") for line in Path("/proc/iomem").read_text().splitlines() if "System RAM" in line]
        assert all(
            not int(where.split("-")[0], 16) <= memory.address <= int(where.split("-")[1], 16) for where, _ in ranges
        )
        assert max(int(where.split("-")[1], 16) for where, _ in ranges) > 1 << 32
    assert int(Path("/proc/sys/vm/nr_hugepages").read_text()) == 0


# -- an IOMMU in the way, and one that is gone past -------------------------------------------------------------------


def test_through_uio_the_iommu_is_told_of_and_what_to_type(run: Run, devices: dict[str, str]) -> None:
    status, result = run("suspend", devices["rng"])
    assert status == 3
    assert f"vfio:{devices['rng']}" in json.dumps(result)


def test_a_device_that_goes_past_the_iommu_gets_physical_addresses_that_are_mapped_as_well(
    run: Run, devices: dict[str, str]
) -> None:
    status, result = run("check", f"vfio:{devices['past-rng']}", "--only", "N1,N2")
    assert status == 0, result
    assert result["device"]["dma"] == "huge pages of 2 MiB, mapped in the IOMMU at their physical addresses"
    assert {row["verdict"] for row in result["results"]} == {"PASS"}, result["results"]
    assert int(Path("/proc/sys/vm/nr_hugepages").read_text()) == 0


def test_without_the_feature_a_mapped_device_is_not_driven(run: Run, devices: dict[str, str]) -> None:
    status, result = run("suspend", f"vfio:{devices['rng']}", "--without", "ACCESS_PLATFORM")
    assert status == 3
    assert "go past the IOMMU" in json.dumps(result)


# -- groups, and looking -----------------------------------------------------------------------------------------------


def test_a_group_that_is_shared_is_refused_with_who_shares_it_and_taken_when_it_is_free(
    run: Run, devices: dict[str, str]
) -> None:
    one, twin = devices["pair"], devices["pair"].replace(".0", ".1")
    if _driver(twin) is None:
        pytest.fail("the pair is not there")
    status, result = run("suspend", f"vfio:{one}")
    assert status == 3
    assert f"{twin} (virtio-pci)" in json.dumps(result)
    assert _driver(one) == "virtio-pci", "nothing was changed"
    assert run("bind", "--via", "vfio", twin)[0] == 0
    try:
        status, result = run("check", f"vfio:{one}", "--only", "N1,N2")
        assert status == 0, result
        assert result["device"]["iommu"].endswith(f"shared with {twin} (vfio-pci)")
    finally:
        assert run("restore", twin)[0] == 0
    assert (_driver(one), _driver(twin)) == ("virtio-pci", "virtio-pci")


def test_a_function_on_vfio_is_listed_shown_and_dumped(run: Run, devices: dict[str, str], tmp_path: Path) -> None:
    address = devices["rng-quiet"]
    group = int((_PCI / address / "iommu_group").readlink().name)
    status, bound = run("bind", "--via", "vfio", address)
    assert (status, bound["devices"][0]["vfio"]) == (0, f"vfio/{group}")
    try:
        status, listed = run("list")
        row = next(row for row in listed["devices"] if row["locator"] == address)
        assert (row["driver"], row["iommu_group"], row["suspend"]) == ("vfio-pci", group, ["1.4"])
        status, shown = run("show", address)
        assert status == 0
        assert (shown["source"], shown["suspend"]) == ("registers", ["1.4"])
        assert main(["dump", address, "-o", str(tmp_path / "snapshot")]) == 0
        assert run("show", "--from", str(tmp_path / "snapshot"))[0] == 0
        status, result = run("suspend", f"vfio:{address}")
        assert status == 0, result
        assert _driver(address) == "vfio-pci", "what was bound on purpose stays"
        assert "bound to vfio-pci on purpose" in json.dumps(run("suspend", address)[1])
    finally:
        assert run("restore", address)[0] == 0
    assert _driver(address) == "virtio-pci"


def test_doctor_knows_the_iommu_and_vfio(run: Run, devices: dict[str, str]) -> None:
    _, found = run("doctor")
    facts = {fact["name"]: fact for fact in found["facts"]}
    assert devices["qemu-rng"] in facts["IOMMU"]["text"]
    assert "vfio:" in facts["IOMMU"]["advice"]
    assert facts["VFIO"]["state"] == "ok"
    assert "not compiled in" in facts["VFIO without IOMMU"]["text"]
    assert devices["pair"][:-2] in facts["IOMMU group"]["text"]


# -- given back --------------------------------------------------------------------------------------------------------


_LONG = {
    "suspend": ("rng", ["--cycles", "100000"]),
    "check": ("rng", []),
    "bench rng": ("qemu-rng", ["--seconds", "60"]),
}


@pytest.mark.parametrize("victims", ["worker", "supervisor", "both"])
@pytest.mark.parametrize("command", _LONG)
def test_it_is_given_back_and_works_after_a_kill(run: Run, devices: dict[str, str], command: str, victims: str) -> None:
    name, options = _LONG[command]
    address = devices[name]
    words = [*command.split(), f"vfio:{address}", *options]
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "uvirtio", *words], cwd=_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    journal = Path("/run/uvirtio", f"{address}.json")
    assert within(60, lambda: journal.exists() and _driver(address) == "vfio-pci")
    time.sleep(2.0)
    worker = int(json.loads(journal.read_text())["pid"])
    assert worker != supervisor.pid
    # Both: the supervisor first, which must not have the time to give anything back.
    for pid in {"worker": [worker], "supervisor": [supervisor.pid], "both": [supervisor.pid, worker]}[victims]:
        os.kill(pid, signal.SIGKILL)
    supervisor.wait(60)
    if victims == "both":
        assert within(20, lambda: not Path(f"/proc/{worker}").exists() or not _open_in(worker))
        assert run("restore", address)[0] == 0
    assert within(40, lambda: _driver(address) == "virtio-pci" and not journal.exists())
    assert _entropy_flows(address)


def _open_in(pid: int) -> list[str]:
    try:
        return [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []


def test_the_kernel_gets_a_device_back_that_is_unplugged_while_it_is_driven(
    devices: dict[str, str], host: Host
) -> None:
    address = devices["doomed"]
    with Device(open_function(f"vfio:{address}")) as device:
        host.qmp("device_del", id="doomed")
        with pytest.raises(DeviceGone, match=f"the kernel asks for {address} back"):
            within(60, lambda: bool(device.function.line.wait(0.5)))
    assert within(60, lambda: not (_PCI / address).exists())
    assert not Path("/run/uvirtio", f"{address}.json").exists()
