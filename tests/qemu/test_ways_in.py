"""``qemu:``: a device of the user's QEMU, driven without a guest over both interfaces."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.qemu.conftest import ROOT
from uvirtio.bus.opening import open_function
from uvirtio.bus.qemu import QemuFunction
from uvirtio.device import Device
from uvirtio.spec.features import Feature
from uvirtio.spec.pci import Command, Header
from uvirtio_drivers.rng import Rng

pytestmark = pytest.mark.needs("qemu")


def entropy(locator: str) -> tuple[Device, bytes]:
    """Read entropy through a locator; the device is closed again, and given for a look at what it was."""
    with Device(open_function(locator)) as device:
        device.initialise(Rng.FEATURES, Rng.queues(device))
        rng = Rng(device)
        first, second = rng.read(64), rng.read(64)
        assert first != second
        assert device.notifications.line.present
        assert device.notifications.interrupts() > 0, "completions were notified"
        return device, first


@pytest.mark.parametrize(
    ("locator", "kind"),
    [
        ("qemu:rng", "modern"),
        ("qemu:rng?disable-legacy=on", "modern"),
        ("qemu:rng?legacy=on", "legacy"),
        ("qemu:rng?disable-modern=on", "legacy"),
        ("qemu:rng?machine=q35&disable-legacy=on", "modern"),
        ("qemu:virtio-rng-pci-non-transitional", "modern"),
        ("qemu:-device virtio-rng-pci,disable-modern=on", "legacy"),
        ('qemu:-device {"driver": "virtio-rng-pci", "addr": "7.0"}', "modern"),
    ],
)
def test_entropy_arrives_over(locator: str, kind: str, qemu: str) -> None:
    device, data = entropy(locator)
    assert device.transport.kind == kind
    assert len(data) == 64
    assert (Feature.VERSION_1 in device.offered) == (kind == "modern")


def test_rings_and_buffers_lie_above_4_gib_where_an_address_is_no_offset(qemu: str) -> None:
    with Device(open_function("qemu:rng?disable-legacy=on")) as device:
        device.initialise(Rng.FEATURES, Rng.queues(device))
        queue = device.queue(0)
        assert min(queue.descriptor_address, queue.driver_address, queue.device_address) >= 1 << 32
        assert Rng(device).read(16)


def test_bars_are_placed_and_the_function_decodes_and_masters_the_bus_once_it_is_asked_to(any_qemu: str) -> None:
    with open_function("qemu:rng") as function:
        command = function.config.u16[Header.COMMAND // 2]
        wanted = Command.IO | Command.MEMORY | Command.BUS_MASTER
        assert command & wanted == Command.IO | Command.MEMORY
        function.enable_bus_mastering()
        assert function.config.u16[Header.COMMAND // 2] & wanted == wanted
        assert not command & Command.INTX_DISABLE
        low, high = function.config.u32[Header.BAR0 // 4 + 4], function.config.u32[Header.BAR0 // 4 + 5]
        assert high << 32 | low & ~0xF > 1 << 32, "the 64-bit BAR is placed above 4 GiB"
        assert function.config.u32[Header.BAR0 // 4] & 1, "BAR 0 of a transitional device is an I/O BAR"
        assert function.bar(0).length == 0x20


def test_the_facts_say_which_qemu_and_machine(qemu: str) -> None:
    version = subprocess.run([qemu, "--version"], capture_output=True, text=True, check=True).stdout.split()[3]
    with open_function("qemu:rng?machine=q35") as function:
        facts = function.facts()
    assert facts["hypervisor"].startswith(f"QEMU {version}")
    assert facts["qemu"] == qemu
    assert "q35" in facts["machine"]


def test_more_options_and_properties_with_commas_reach_qemu(any_qemu: str) -> None:
    arguments = "-name 'two words' -object rng-random,id=r,filename=/dev/urandom"
    with open_function(f"qemu:rng?rng=r&args={quote(arguments)}") as function:
        assert isinstance(function, QemuFunction)
        assert function.process.qmp.execute("query-name") == {"name": "two words"}
        assert Path(f"/proc/{function.process.pid}/cmdline").read_bytes().count(b"rng=r") == 1
    with open_function("qemu:rng?args=-name%20a,,b") as function:
        assert isinstance(function, QemuFunction)
        assert function.process.qmp.execute("query-name") == {"name": "a,b"}


def test_suspend_on_stock_qemu_judges_nothing_and_ends_with_4(qemu: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uvirtio", "suspend", "qemu:rng"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 4, done.stderr
    assert "does not offer SUSPEND" in done.stderr
    assert "requests of the rng driver: 8 completed" in done.stdout, "the rings were shown to work first"


def test_suspend_on_the_legacy_interface_says_to_use_the_modern_one(any_qemu: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uvirtio", "suspend", "qemu:rng?legacy=on"],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "use the modern interface" in done.stderr
