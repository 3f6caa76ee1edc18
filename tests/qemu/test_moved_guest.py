"""A real guest is paused, saved and migrated to other processes while uvirtio drives QEMU's devices in it, through UIO."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.lab import image_parts, modern_qemu
from tests.vm.moved import MovedGuest
from uvirtio_tools.image.building import Recipe, assemble

pytestmark = [pytest.mark.needs("modern-qemu", "image"), pytest.mark.timeout(300)]

#: Longer than what the guest's real-time clock, which counts whole seconds, needs to be sure.
_AWAY = 3.2
#: What the guest does in between.
_BETWEEN = 2.0


def test_a_guest_that_is_moved_notices_it_and_its_devices_lose_nothing(tmp_path: Path) -> None:
    parts, qemu = image_parts(), modern_qemu()
    assert parts is not None
    assert qemu is not None
    recipe = Recipe("x86_64", level=1, every_form=False)
    assemble(recipe, (parts / "release").read_text(encoding="utf-8"), parts, tmp_path)
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(range(256)) * (1 << 15))
    devices = [
        "-device", "virtio-rng-pci", "-blockdev", f"driver=raw,node-name=d,file.driver=file,file.filename={disk}", "-device",
        "virtio-blk-pci,drive=d", "-netdev", "socket,id=n,udp=127.0.0.1:9,localaddr=127.0.0.1:0", "-device", "virtio-net-pci,netdev=n",
    ]  # fmt: skip
    guest = MovedGuest(qemu, tmp_path, tmp_path, "survive --events 3", devices)
    try:
        guest.wait_for("3 devices are under load")
        for move in (guest.pause, guest.snapshot, guest.migrate):
            time.sleep(_BETWEEN)
            move(_AWAY)
        document = guest.result()
    finally:
        guest.close()
    assert document["verdict"] == "PASS", document
    for device in document["devices"]:
        assert len(device["timeline"]) == 3
        assert {incident["verdict"] for incident in device["timeline"]} == {"PASS"}
        assert all("real-time clock" in incident["noticed"] for incident in device["timeline"])
        assert {"U2", "U3", "U8", "U12", "U13", "U15"} <= {
            each["id"] for each in device["results"] if each["verdict"] == "PASS"
        }
