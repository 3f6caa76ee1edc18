"""The inspector in a real guest: what the kernel drives is not disturbed, and what QEMU has plugged is told."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.vm.guest.host import Host
from tests.vm.guest.inspected import shown
from tests.vm.guest.waiting import within
from uvirtio_tools.cli import main
from uvirtio_tools.inspect.live import LiveDevice, LiveMachine

#: Every device of the guest "zoo", with its type.
_TYPES = {
    "qemu-rng": "rng",
    "qemu-blk": "blk",
    "qemu-net": "net",
    "qemu-console": "console",
    "qemu-balloon": "balloon",
    "qemu-input": "input",
    "qemu-tablet": "input",
    "qemu-mouse": "input",
    "qemu-multitouch": "input",
    "qemu-9p": "9p",
    "qemu-scsi": "scsi",
    "qemu-gpu": "gpu",
    "qemu-crypto": "crypto",
    "qemu-mem": "mem",
    "qemu-pmem": "pmem",
    "qemu-iommu": "iommu",
    "qemu-sound": "sound",
    "qemu-rtc": "rtc",
    "legacy-rng": "rng",
    "rng-1.4": "rng",
    "vsock": "vsock",
    "fs": "fs",
    "sriov": "net",
}


@pytest.mark.boot("zoo")
def test_list_names_every_device_and_says_that_the_kernel_holds_it(
    devices: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(_TYPES) == set(devices)
    rows = {row["locator"]: row for row in shown(capsys, command="list")["devices"]}
    for name, kind in _TYPES.items():
        row = rows[devices[name]]
        interface = "legacy" if name == "legacy-rng" else "modern"
        assert (row["type_name"], row["driver"], row["interface"]) == (kind, "virtio-pci", interface), name
        assert row["suspend_known"] is False
        assert row["accepted"] is not None
        assert not row["problems"]
    # The guest's own root and channel are told to be in use.
    assert any("9p" in " ".join(row["used_by"]) for row in rows.values())


@pytest.mark.boot("zoo")
def test_a_look_at_a_device_of_the_kernel_writes_no_selector(
    devices: dict[str, str], boot: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    log = Path(boot["devices"]["rng-1.4"]["log"])
    address = devices["rng-1.4"]
    time.sleep(0.2)  # what the kernel still does with it has been written down
    before = _selections(log)
    assert before, "the log shows not even the kernel's own: it proves nothing"
    document = shown(capsys, address)
    main(["list"])
    time.sleep(0.2)
    assert document["source"] == "sysfs"
    assert _selections(log) == before
    assert shown(capsys, address, "--intrusive")["source"] == "PCI_CFG window"
    assert within(5, lambda: _selections(log) > before)


def _selections(log: Path) -> int:
    """Writes to the selectors of features and queues that the device's server has recorded."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    return sum(line["kind"] == "write" and str(line["register"]).endswith("_select") for line in lines)


@pytest.mark.boot("zoo")
def test_doctor_finds_this_guest_ready(capsys: pytest.CaptureFixture[str]) -> None:
    subprocess.run(["modprobe", "uio_pci_generic"], check=True)
    capsys.readouterr()
    status = main(["doctor", "--json"])
    facts = json.loads(capsys.readouterr().out)["facts"]
    assert status == any(fact["state"] == "missing" for fact in facts)
    states = {fact["name"]: fact["state"] for fact in facts}
    wanted = ("privilege", "devices", "kernel module", "huge pages", "physical addresses", "lockdown", "interrupt pins")
    assert {name: states[name] for name in wanted} == dict.fromkeys(wanted, "ok")


@pytest.mark.boot("unplug")
def test_a_device_that_is_unplugged_while_it_is_shown_says_gone_and_the_list_goes_on(
    devices: dict[str, str], host: Host
) -> None:
    address = devices["shown"]
    assert main(["bind", address]) == 0
    device, machine = LiveDevice(address), LiveMachine()
    device.refresh()
    machine.refresh()
    assert device.description is not None
    assert device.description.source == "registers"
    assert address in [row.locator for row in machine.rows if not row.gone]
    host.unplug("shown")
    assert within(10, lambda: not Path("/sys/bus/pci/devices", address).exists())
    device.refresh()
    machine.refresh()
    assert device.gone
    assert "gone" in device.events[-1].text
    assert [row.locator for row in machine.rows if row.gone] == [address]
    assert [row for row in machine.rows if not row.gone and row.description is not None]
    assert main(["restore", address]) == 0  # what was bound on purpose is forgotten on request, though it is gone
