"""The inspector on every virtio device that QEMU starts by itself, and on types that nobody starts, in one guest.

What is shown of a device, while the kernel holds it and while `uio_pci_generic` does, is held against QEMU's own word:
its properties and what else its monitor tells (`tests/qemu/judge.py`), and the registers as QEMU reads them.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.qemu.judge import Judge, compare_status, memory_as_qemu_reads_it, port_as_qemu_reads_it
from tests.vm.guest.host import Host
from tests.vm.guest.inspected import shown
from tests.vm.guest.waiting import within
from uvirtio_tools.cli import main
from uvirtio_tools.inspect.model import Description
from uvirtio_tools.inspect.sources import describe_locator

pytestmark = [pytest.mark.boot("zoo"), pytest.mark.timeout(120)]

_PCI = Path("/sys/bus/pci/devices")

#: QEMU's devices in the boot, each with its type and what its command line says of its configuration fields.
_QEMU: dict[str, tuple[str, dict[str, object]]] = {
    "qemu-rng": ("rng", {}),
    "qemu-blk": ("blk", {"capacity": 8 << 11, "num_queues": 3, "seg_max": 62}),
    "qemu-net": ("net", {"mac": "52:54:00:0a:0b:0c", "mtu": 1400, "speed": 1000, "duplex": 1, "status": 1}),
    "qemu-console": ("console", {"max_nr_ports": 3}),
    "qemu-balloon": ("balloon", {"num_pages": 0, "actual": 0}),
    "qemu-input": ("input", {}),
    "qemu-tablet": ("input", {}),
    "qemu-mouse": ("input", {}),
    "qemu-multitouch": ("input", {}),
    "qemu-9p": ("9p", {"tag_len": len("zoo-folder"), "tag": "zoo-folder"}),
    "qemu-scsi": ("scsi", {"num_queues": 2, "max_sectors": 512, "cmd_per_lun": 7}),
    "qemu-gpu": ("gpu", {"num_scanouts": 3}),
    "qemu-crypto": ("crypto", {"max_dataqueues": 1}),
    "qemu-mem": ("mem", {"region_size": 128 << 20, "requested_size": 64 << 20}),
    "qemu-pmem": ("pmem", {"size": 2 << 20}),
    "qemu-iommu": ("iommu", {"bypass": 1}),
    "qemu-sound": ("sound", {"streams": 1}),
    "qemu-rtc": ("rtc", {}),
}
#: Those that QEMU 7.2 has not got.
_YOUNG = ("qemu-multitouch", "qemu-sound", "qemu-rtc")
#: The first QEMU with 128 feature bits; x-query-virtio-status ends those that we know.
_ENDED_BY_IT = (10, 2)
#: The ioctl of /dev/vsock that gives the machine's number, IOCTL_VM_SOCKETS_GET_LOCAL_CID.
_GET_LOCAL_CID = 0x7B9


@contextmanager
def _bound(address: str) -> Iterator[None]:
    assert main(["bind", address]) == 0
    try:
        yield
    finally:
        assert main(["restore", address]) == 0
    assert (_PCI / address / "driver").readlink().name == "virtio-pci"


def _fields(document: dict[str, Any]) -> dict[str, object]:
    return {field["name"]: field["value"] for field in document["config"]}


def _offered(document: dict[str, Any]) -> set[str]:
    return {row["name"] for row in document["features"] if row["offered"]}


def _names_everything(document: dict[str, Any]) -> None:
    assert document["problems"] == []
    assert all(row["origin"] != "unknown" for row in document["features"])
    assert all(queue["name"] for queue in document["queues"])
    for field in document["config"]:
        assert field["value"] is not None or field["valid"] is False or "FEATURES_OK" in field["text"], field


def _structure(document: dict[str, Any], name: str) -> int:
    """The guest physical address of a virtio structure."""
    (place,) = [row for row in document["capabilities"] if row["structure"] == name]
    (bar,) = [bar for bar in document["bars"] if bar["number"] == place["bar"]]
    return int(str(bar["address"]), 0) + int(str(place["offset"]), 0)


def _configuration_is_what_qemu_reads(document: dict[str, Any], host: Host) -> None:
    raw = bytes.fromhex(document["config_raw"])
    for field in document["config"]:
        if field["value"] is None:
            continue
        base = _structure(document, "DEVICE")
        # Each element by itself: QEMU answers a read that reaches past a device's last field with all-ones.
        width = min(field["width"], 4)
        for at in range(field["offset"], field["offset"] + field["width"] * field["count"], width):
            said = memory_as_qemu_reads_it(host.qmp, base + at, width)
            assert int.from_bytes(raw[at : at + width], "little") == said, (field["name"], at)


def _offered_as_qemu_reads_it(document: dict[str, Any], address: str, host: Host) -> int:
    """The offered bits out of QEMU's mouth; only the selector is written here."""
    common = _structure(document, "COMMON")
    (bar,) = [row["bar"] for row in document["capabilities"] if row["structure"] == "COMMON"]
    base = next(row for row in document["bars"] if row["number"] == bar)
    mask = 0
    with (_PCI / address / f"resource{bar}").open("r+b") as file, mmap.mmap(file.fileno(), 4096) as registers:
        offset = common - int(str(base["address"]), 0)
        with memoryview(registers) as view, view.cast("I") as words:
            for half in (1, 0):
                words[offset // 4] = half
                mask |= memory_as_qemu_reads_it(host.qmp, common + 4, 4) << 32 * half
    return mask


@pytest.mark.parametrize("name", list(_QEMU))
def test_every_bit_queue_and_field_is_named_and_is_what_qemu_and_its_command_line_say(
    name: str, devices: dict[str, str], host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    type_name, said = _QEMU[name]
    address = devices[name]
    judge = Judge(host.qmp, f"/machine/peripheral/{name}")

    held = shown(capsys, address, "--intrusive")
    assert (held["source"], held["type_name"], held["driver"]) == ("PCI_CFG window", type_name, "virtio-pci")
    _names_everything(held)
    assert _offered(held) == judge.offered(type_name)
    # Status and accepted features are those that the kernel shows.
    child = next((_PCI / address).glob("virtio*"))
    assert int(held["status"], 16) == int(child.joinpath("status").read_text(), 16)
    assert int(held["accepted"], 16) == int(child.joinpath("features").read_text().strip()[::-1], 2)
    assert said.items() <= _fields(held).items()
    assert judge.fields(type_name).items() <= _fields(held).items()
    _configuration_is_what_qemu_reads(held, host)

    if type_name == "mem":
        # The system uses the memory that the kernel's driver has plugged: nobody takes it away.
        assert main(["bind", address]) == 3
        assert "has plugged memory that the system uses" in capsys.readouterr().err
        said = said | {"requested_size": 0, "plugged_size": 0}
        host.qmp("qom-set", path=f"/machine/peripheral/{name}", property="requested-size", value=0)
        assert within(20, lambda: judge.fields("mem")["plugged_size"] == 0), "the kernel keeps the memory"
    with _bound(address):
        mapped = shown(capsys, address)
        assert mapped["source"] == "registers"
        _names_everything(mapped)
        assert int(mapped["offered"], 16) == int(held["offered"], 16)
        assert int(mapped["offered"], 16) == _offered_as_qemu_reads_it(mapped, address, host)
        assert said.items() <= _fields(mapped).items()
        assert judge.fields(type_name).items() <= _fields(mapped).items()
        _configuration_is_what_qemu_reads(mapped, host)
        # The driver may have set smaller queues; now they are as QEMU made them.
        assert [queue["index"] for queue in mapped["queues"]] == [queue["index"] for queue in held["queues"]]
        backend = f"/machine/peripheral/{name}/virtio-backend"
        for queue in mapped["queues"]:
            told = host.qmp("x-query-virtio-queue-status", path=backend, queue=queue["index"])
            assert queue["num"] == told["vring-num-default"]


def _as_qemu_says(device: Description, backend: str, host: Host) -> None:
    version = host.qmp("query-version")["qemu"]
    if (version["major"], version["minor"]) < _ENDED_BY_IT:
        compare_status(device, host.qmp("x-query-virtio-status", path=backend))
    else:  # where the distribution's is a recent one too
        judge = Judge(host.qmp, backend.rpartition("/")[0])
        assert {row.name for row in device.features if row.offered} == judge.offered(device.type_name)


@pytest.mark.boot("unplug")
@pytest.mark.parametrize("name", [name for name in _QEMU if name not in _YOUNG])
def test_it_is_what_x_query_virtio_status_says_of_it_in_a_qemu_that_answers(
    name: str, devices: dict[str, str], host: Host
) -> None:
    type_name, said = _QEMU[name]
    address, backend = devices[name], f"/machine/peripheral/{name}/virtio-backend"
    held = describe_locator(address, intrusive=True)
    assert (held.source, held.type_name) == ("PCI_CFG window", type_name)
    _as_qemu_says(held, backend, host)
    assert said.items() <= {field.name: field.value for field in held.config}.items()
    if type_name == "mem":
        return  # it stays with the kernel's driver as long as memory is plugged
    with _bound(address):
        mapped = describe_locator(address)
        assert (mapped.source, mapped.problems) == ("registers", ())
        assert all(row.origin != "unknown" for row in mapped.features)
        assert all(queue.name for queue in mapped.queues)
        _as_qemu_says(mapped, backend, host)
        assert said.items() <= {field.name: field.value for field in mapped.config}.items()


def test_a_device_of_the_legacy_interface_alone_is_shown_as_qemu_has_it(
    devices: dict[str, str], host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    address = devices["legacy-rng"]
    judge = Judge(host.qmp, "/machine/peripheral/legacy-rng")
    rows = {row["locator"]: row for row in shown(capsys, command="list")["devices"]}
    assert (rows[address]["type_name"], rows[address]["interface"], rows[address]["driver"]) == (
        "rng", "legacy", "virtio-pci",
    )  # fmt: skip
    # While the kernel holds it there is no way to its registers: it has no window.
    held = shown(capsys, address, "--intrusive")
    assert (held["source"], held["interface"], held["offered"]) == ("sysfs", "legacy", None)
    assert any("no PCI_CFG capability" in note for note in held["notes"])
    child = next((_PCI / address).glob("virtio*"))
    assert int(held["accepted"], 16) == int(child.joinpath("features").read_text().strip()[::-1], 2)
    with _bound(address):
        mapped = shown(capsys, address)
        assert (mapped["source"], mapped["interface"], mapped["revision"]) == ("registers", "legacy", 0)
        _names_everything(mapped)
        assert _offered(mapped) == judge.offered("rng", "legacy")
        (bar,) = [bar for bar in mapped["bars"] if bar["number"] == 0]
        port = int(str(bar["address"]), 0)
        # Device features, queue size of the selected queue, status (4.1.4.8).
        assert int(mapped["offered"], 16) == port_as_qemu_reads_it(host.qmp, port, 4)
        assert [queue["num"] for queue in mapped["queues"]] == [port_as_qemu_reads_it(host.qmp, port + 12, 2)]
        assert int(mapped["status"], 16) == port_as_qemu_reads_it(host.qmp, port + 18, 1)


@pytest.mark.parametrize(
    ("name", "fields", "queues"),
    [
        ("vsock", {"guest_cid": 0x01234567}, ["rx", "tx", "event"]),
        (
            "fs",
            {"tag": "zoo", "num_request_queues": 2, "notify_buf_size": 4096},
            ["hiprio", "notification queue", "requestq1", "requestq2"],
        ),
    ],
)
def test_a_device_that_is_described_only_is_seen_as_it_was_set(
    name: str,
    fields: dict[str, object],
    queues: list[str],
    devices: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    address = devices[name]
    held, mapped = shown(capsys, address, "--intrusive"), _when_bound(address, capsys)
    # As long as nothing is accepted the queues are those of all that is offered; the kernel's driver takes less.
    assert [queue["name"] for queue in mapped["queues"]] == queues
    for document in (held, mapped):
        assert document["type_name"] == name
        _names_everything(document)
        assert _fields(document) == fields
        assert len(document["queues"]) == len(queues)
        assert document["suspend"] == ["1.4"]
        assert (int(document["vendor"], 16), int(document["device"], 16)) == _ids(address)


def _ids(address: str) -> tuple[int, int]:
    """Vendor and device id, by lspci where it is installed and by sysfs, which have to agree."""
    vendor, device = (int((_PCI / address / name).read_text(), 16) for name in ("vendor", "device"))
    if shutil.which("lspci"):
        told = subprocess.run(["lspci", "-n", "-s", address], capture_output=True, text=True, check=True).stdout
        assert f" {vendor:04x}:{device:04x} " in told
    return vendor, device


def _when_bound(address: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    with _bound(address):
        document = shown(capsys, address)
    assert document["source"] == "registers"
    return document


def test_the_kernels_drivers_take_what_is_described_only(devices: dict[str, str]) -> None:
    for name, module in (("vsock", "vmw_vsock_virtio_transport"), ("fs", "virtiofs")):
        subprocess.run(["modprobe", module], check=True)
        child = next((_PCI / devices[name]).glob("virtio*"))
        assert child.joinpath("driver").readlink().name == module
        assert int(child.joinpath("status").read_text(), 16) == 0x0F
    # Mounting what nobody serves would wait for ever; but a socket device's number is asked for at once.
    descriptor = os.open("/dev/vsock", os.O_RDONLY)
    try:
        (cid,) = struct.unpack("I", fcntl.ioctl(descriptor, _GET_LOCAL_CID, bytes(4)))
    finally:
        os.close(descriptor)
    assert cid == 0x01234567


def test_suspending_a_device_that_no_driver_of_ours_moves_data_on_is_no_pass(
    devices: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    result = shown(capfd, devices["vsock"], "--hold", "0.01", command="suspend")
    assert result["verdict"] == "WARN"
    assert "by its status alone; nothing was moved" in result["reason"]
    assert (_PCI / devices["vsock"] / "driver").readlink().name == "virtio-pci"
