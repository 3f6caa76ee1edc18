"""The inspector in a real guest: what the kernel drives is not disturbed, and what QEMU has plugged is told."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.vm.guest.host import Host
from uvirtio_tools.cli import main
from uvirtio_tools.inspect.live import LiveDevice, LiveMachine

_TYPES = {
    "qemu-rng": "rng",
    "qemu-net": "net",
    "qemu-balloon": "balloon",
    "qemu-input": "input",
    "qemu-scsi": "scsi",
    "qemu-gpu": "gpu",
    "rng-1.4": "rng",
}


def _json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return condition()
        time.sleep(0.05)
    return True


def _held(document: dict[str, Any]) -> dict[str, object]:
    """What must be the same whichever way it is read."""
    fields = {field["name"]: field["value"] for field in document["config"] if field["value"] is not None}
    queues = [(queue["index"], queue["num"]) for queue in document["queues"]]
    return {"offered": document["offered"], "type": document["type"], "fields": fields, "queues": queues}


@pytest.mark.boot("zoo")
def test_list_names_every_device_and_says_that_the_kernel_holds_it(
    devices: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {row["locator"]: row for row in _json(capsys, "list")["devices"]}
    for name, kind in _TYPES.items():
        row = rows[devices[name]]
        assert (row["type_name"], row["driver"], row["interface"]) == (kind, "virtio-pci", "modern"), name
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
    document = _json(capsys, "show", address)
    main(["list"])
    time.sleep(0.2)
    assert document["source"] == "sysfs"
    assert _selections(log) == before
    assert _json(capsys, "show", address, "--intrusive")["source"] == "PCI_CFG window"
    assert _within(5, lambda: _selections(log) > before)


def _selections(log: Path) -> int:
    """Writes to the selectors of features and queues that the device's server has recorded."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    return sum(line["kind"] == "write" and str(line["register"]).endswith("_select") for line in lines)


@pytest.mark.boot("zoo")
@pytest.mark.parametrize("name", ["qemu-rng", "qemu-net", "qemu-balloon", "qemu-input", "qemu-scsi", "rng-1.4"])
def test_the_window_and_the_mapped_registers_tell_the_same(
    name: str, devices: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    address = devices[name]
    driven = _json(capsys, "show", address, "--intrusive")
    assert driven["source"] == "PCI_CFG window"
    # Status and accepted features are those that the kernel shows.
    child = next(Path("/sys/bus/pci/devices", address).glob("virtio*"))
    assert int(driven["status"], 16) == int(child.joinpath("status").read_text(), 16)
    assert int(driven["accepted"], 16) == int(child.joinpath("features").read_text().strip()[::-1], 2)
    assert main(["bind", address]) == 0
    try:
        mapped = _json(capsys, "show", address)
        assert mapped["source"] == "registers"
        assert mapped["problems"] == []
        assert all(row["origin"] != "unknown" for row in mapped["features"])
        assert all(queue["name"] for queue in mapped["queues"])
        keep = _held(driven) | {"queues": [], "fields": {}}
        assert _held(mapped) | {"queues": [], "fields": {}} == keep
        # The driver may have set smaller queues, and fields move; what is fixed is the same.
        assert [queue["index"] for queue in mapped["queues"]] == [queue["index"] for queue in driven["queues"]]
        assert [field["name"] for field in mapped["config"]] == [field["name"] for field in driven["config"]]
        if name == "qemu-net":
            assert {field["name"]: field["value"] for field in mapped["config"]}["mac"] == "52:54:00:0a:0b:0c"
    finally:
        assert main(["restore", address]) == 0
    assert Path("/sys/bus/pci/devices", address, "driver").readlink().name == "virtio-pci"


@pytest.mark.boot("zoo")
def test_doctor_finds_this_guest_ready(capsys: pytest.CaptureFixture[str]) -> None:
    subprocess.run(["modprobe", "uio_pci_generic"], check=True)
    facts = _json(capsys, "doctor")["facts"]
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
    assert _within(10, lambda: not Path("/sys/bus/pci/devices", address).exists())
    device.refresh()
    machine.refresh()
    assert device.gone
    assert "gone" in device.events[-1].text
    assert [row.locator for row in machine.rows if row.gone] == [address]
    assert [row for row in machine.rows if not row.gone and row.description is not None]
    assert main(["restore", address]) == 0  # what was bound on purpose is forgotten on request, though it is gone
