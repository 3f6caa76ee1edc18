"""The main job in a real guest: devices taken through uio_pci_generic, suspended and resumed under load, given back."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.vm.guest.host import Host
from tests.vm.guest.waiting import within
from uvirtio_tools.cli import main

_PCI = Path("/sys/bus/pci")
_BUS_MASTER = 4


def _driver(address: str) -> str | None:
    link = _PCI / "devices" / address / "driver"
    return link.readlink().name if link.exists() else None


def _command(address: str) -> int:
    return int.from_bytes((_PCI / "devices" / address / "config").read_bytes()[4:6], "little")


def _log(boot: dict[str, Any], device: str) -> list[dict[str, Any]]:
    """What the device's server has recorded so far."""
    lines = Path(boot["devices"][device]["log"]).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def _kernel_reads_random_bytes(address: str) -> bool:
    """Whether the kernel's virtio_rng drives this device and delivers."""
    names = [path.name for path in (_PCI / "devices" / address).glob("virtio*")]
    chosen = Path("/sys/class/misc/hw_random/rng_current")
    offered = Path("/sys/class/misc/hw_random/rng_available")
    subprocess.run(["modprobe", "virtio_rng"], check=True)
    index = {name: f"virtio_rng.{number}" for number, name in enumerate(names)}
    assert names, f"{address} has no virtio device: driver {_driver(address)}"
    assert within(5, lambda: "virtio_rng" in offered.read_text())
    # hwrng names count up as devices come; the one of this function is found through its own link.
    own = next(iter(index))
    for name in offered.read_text().split():
        if not name.startswith("virtio_rng"):
            continue
        chosen.write_text(name)
        with open("/dev/hwrng", "rb", buffering=0) as hwrng:
            data = hwrng.read(64)
        if len(data) >= 16 and len(set(data)) > 4 and _interrupts(own) > 0:
            return True
    return False


def _interrupts(virtio: str) -> int:
    """Interrupts that a virtio device has had, on all its vectors."""
    total = 0
    for line in Path("/proc/interrupts").read_text().splitlines():
        if virtio in line.replace(",", " ").replace("-", " ").split():
            total += sum(int(word) for word in line.split()[1:] if word.isdigit())
    return total


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line in this process; gives its status, its output, its messages."""

    def command(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        status = main(words)
        said = capfd.readouterr()
        return status, said.out, said.err

    return command


def _suspend(run: Callable[..., tuple[int, str, str]], address: str, *words: str) -> tuple[int, dict[str, Any], str]:
    status, output, messages = run("suspend", address, "--json", *words)
    return status, json.loads(output), messages


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("device", "dialect", "cycles"), [("rng-1.4", "1.4", 100), ("rng-crosvm", "chromium", 20), ("rng-rfc", "rfc", 20)]
)
def test_cycles_under_load_lose_nothing_and_the_driver_is_restored(
    run: Callable[..., tuple[int, str, str]],
    devices: dict[str, str],
    boot: dict[str, Any],
    device: str,
    dialect: str,
    cycles: int,
) -> None:
    address = devices[device]
    assert _driver(address) == "virtio-pci"
    seen = len(_log(boot, device))
    status, result, messages = _suspend(run, address, "--dialect", dialect, "--cycles", str(cycles), "--hold", "0.01")
    assert status == 0, messages + result["reason"]
    assert result["verdict"] == "PASS"
    assert len(result["cycles"]) == cycles
    # Buffers really were in flight, and the device's own record agrees that it was suspended that often.
    assert sum(cycle["in_flight_at_suspend"] for cycle in result["cycles"]) >= cycles
    assert _driver(address) == "virtio-pci"
    assert not list(Path("/run/uvirtio").glob(f"*{address}*.json"))
    _judge_accesses(_log(boot, device)[seen:], dialect, cycles)


def _judge_accesses(log: list[dict[str, Any]], dialect: str, cycles: int) -> None:
    """The register accesses as the server saw them: widths, status bits, one write per suspend and resume."""
    faults = [row for row in log if row["kind"] == "fault"]
    assert not faults, faults[:3]
    writes = [int(row["value"], 0) for row in log if row["kind"] == "write" and row["register"] == "device_status"]
    # The kernel's driver writes before and after: ours is what ends with the last suspend's reset.
    first = writes.index(0x1F)
    last = len(writes) - 1 - writes[::-1].index(0x1F)
    counted = Counter(writes[first : last + 1])
    if dialect == "chromium":
        assert counted == {0x1F: cycles, 0x0F: cycles - 1}
    else:
        assert counted == {0x1F: 2 * cycles}
    for before, after in itertools.pairwise(writes[: last + 1]):
        cleared = before & ~after
        assert not cleared or after == 0 or (dialect == "chromium" and cleared == 0x10), (hex(before), hex(after))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("interrupt", ["MSI-X", "INTx"])
def test_the_kernels_own_driver_works_on_the_emulated_device(devices: dict[str, str], interrupt: str) -> None:
    address = devices["rng-1.4"]
    function = _PCI / "devices" / address
    function.joinpath("driver/unbind").write_text(address)
    function.joinpath("msi_bus").write_text("0" if interrupt == "INTx" else "1")
    try:
        _PCI.joinpath("drivers_probe").write_text(address)
        assert _driver(address) == "virtio-pci"
        assert _kernel_reads_random_bytes(address)
        assert bool(list(function.glob("msi_irqs/*"))) == (interrupt == "MSI-X")
    finally:
        function.joinpath("msi_bus").write_text("1")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("device", ["qemu-rng", "rng-store"])
def test_a_device_that_merely_stores_the_byte_is_never_passed(
    run: Callable[..., tuple[int, str, str]], devices: dict[str, str], device: str
) -> None:
    status, result, messages = _suspend(run, devices[device])
    assert status == 4
    assert result["verdict"] == "SKIP"
    assert result["workload"]["warm_up"] >= 8
    assert "does not offer SUSPEND" in messages
    assert _driver(devices[device]) == "virtio-pci"


@pytest.mark.timeout(120)
def test_a_device_that_offers_only_bit_41_is_judged_only_when_the_user_says_so(
    run: Callable[..., tuple[int, str, str]], devices: dict[str, str]
) -> None:
    status, _result, messages = _suspend(run, devices["rng-rfc"])
    assert status == 4
    assert "--dialect rfc" in messages


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("rng-stuck", "suspend not within 1 s"),
        ("rng-refuses", "answered suspend with DEVICE_NEEDS_RESET"),
        ("rng-refuses-resume", "answered resume with DEVICE_NEEDS_RESET"),
    ],
)
def test_a_device_that_fails_is_told_so_and_reset(
    run: Callable[..., tuple[int, str, str]], devices: dict[str, str], boot: dict[str, Any], device: str, words: str
) -> None:
    status, result, _messages = _suspend(run, devices[device], "--timeout", "1")
    assert status == 1
    assert words in result["reason"]
    assert "has been reset" in result["reason"]
    assert "0x" in result["reason"]
    assert _driver(devices[device]) == "virtio-pci"


@pytest.mark.timeout(120)
def test_a_device_whose_server_ends_is_gone_within_the_deadline(
    run: Callable[..., tuple[int, str, str]], devices: dict[str, str], host: Host
) -> None:
    address = devices["rng-doomed"]
    worker = _start("suspend", address, "--cycles", "100000", "--hold", "3", "--timeout", "3")
    try:
        assert within(60, lambda: host.trigger("rng-doomed", do="state")["phase"] == "suspended")
        host.end_server("rng-doomed")
        output, messages = worker.communicate(timeout=60)
    finally:
        worker.kill()
    assert worker.returncode == 1, messages
    assert "gone" in output + messages or "went away" in output + messages
    assert "Traceback" not in messages


def _start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "uvirtio", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.timeout(180)
def test_a_killed_worker_is_survived_by_its_supervisor(devices: dict[str, str]) -> None:
    address = devices["rng-1.4"]
    supervisor = _start("suspend", address, "--cycles", "100000", "--hold", "0.01")
    try:
        assert within(40, lambda: _driver(address) == "uio_pci_generic" and bool(_command(address) & _BUS_MASTER))
        time.sleep(1)
        (worker,) = _children(supervisor.pid)
        os.kill(worker, signal.SIGKILL)
        _output, messages = supervisor.communicate(timeout=60)
    finally:
        supervisor.kill()
    assert supervisor.returncode == 1
    assert "SIGKILL" in messages
    assert _driver(address) == "virtio-pci"


@pytest.mark.timeout(180)
def test_killing_both_stops_bus_mastering_and_restore_gives_the_device_back(
    run: Callable[..., tuple[int, str, str]], devices: dict[str, str]
) -> None:
    address = devices["rng-1.4"]
    supervisor = _start("suspend", address, "--cycles", "100000", "--hold", "0.01")
    try:
        assert within(40, lambda: _driver(address) == "uio_pci_generic" and bool(_command(address) & _BUS_MASTER))
        time.sleep(1)
        (worker,) = _children(supervisor.pid)
        os.kill(supervisor.pid, signal.SIGSTOP)
        os.kill(worker, signal.SIGKILL)
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.wait(timeout=10)
    finally:
        supervisor.kill()
    assert within(5, lambda: not _command(address) & _BUS_MASTER)
    assert _driver(address) == "uio_pci_generic"
    status, output, messages = run("restore", "--all")
    assert status == 0, messages
    assert address in output
    assert _driver(address) == "virtio-pci"
    assert _kernel_reads_random_bytes(address)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("suspend", "0000:77:00.0"), 3, "no PCI function"),
        (("suspend", "00:00.0"), 3, "not a virtio device"),
        (("suspend", "00:1"), 2, "does not name a device"),
        (("suspend", "emulated:rng?profle=rfc"), 2, "profle"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(
    run: Callable[..., tuple[int, str, str]], words: tuple[str, ...], status: int, said: str
) -> None:
    before = {path.name: _driver(path.name) for path in (_PCI / "devices").iterdir()}
    got, output, messages = run(*words)
    assert got == status
    assert said in messages
    assert output == ""
    assert {path.name: _driver(path.name) for path in (_PCI / "devices").iterdir()} == before


@pytest.mark.timeout(120)
def test_without_root_nothing_is_touched(devices: dict[str, str]) -> None:
    # May read everything, because the interpreter may lie where only root can, and may write nothing of root's.
    reading = "-all,+dac_read_search"
    somebody = ["setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps", reading, "--ambient-caps", reading]
    done = subprocess.run(
        [*somebody, sys.executable, "-m", "uvirtio", "suspend", devices["qemu-rng"]],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "root" in done.stderr
    assert _driver(devices["qemu-rng"]) == "virtio-pci"


@pytest.mark.boot("large")
@pytest.mark.timeout(300)
def test_cycles_with_memory_above_four_gibibytes(
    run: Callable[..., tuple[int, str, str]], devices: dict[str, str]
) -> None:
    status, result, messages = _suspend(run, devices["rng-1.4"], "--cycles", "20", "--hold", "0.01")
    assert status == 0, messages + result["reason"]
