"""The kernel's own drivers on the emulated devices: the device models are right, and not just agreed with our drivers."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import random
import select
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.boot("types"), pytest.mark.timeout(180)]

_DEVICES = Path("/sys/bus/pci/devices")
#: Its own address and one that nobody has: the station at the other end answers for all of them.
_HERE, _THERE = "10.87.65.1", "10.87.65.2"


def _run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


def _within(seconds: float, find: Callable[[], list[Path]]) -> Path:
    """The first path found, within so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline, "the kernel's driver made no device"
        time.sleep(0.05)
    return found[0]


def _made(address: str, kind: str) -> str:
    """The name that the kernel gave to what its driver made of this function."""
    return _within(10, lambda: sorted(_DEVICES.glob(f"{address}/virtio*/{kind}/*"))).name


def test_a_file_system_on_the_disk_keeps_its_files_and_is_found_clean(devices: dict[str, str], tmp_path: Path) -> None:
    _run("modprobe", "virtio_blk")
    disk = f"/dev/{_made(devices['blk'], 'block')}"
    contents = {f"file-{number}": random.Random(number).randbytes(200_000 + 777 * number) for number in range(8)}
    _run("mkfs.ext4", "-q", "-F", disk)
    _run("mount", disk, str(tmp_path))
    try:
        for name, data in contents.items():
            (tmp_path / name).write_bytes(data)
    finally:
        _run("umount", str(tmp_path))
    _run("fsck.ext4", "-f", "-n", disk)
    # What is read now comes from the device: the kernel has let go of what it had.
    Path("/proc/sys/vm/drop_caches").write_text("3")
    _run("mount", "-o", "ro", disk, str(tmp_path))
    try:
        assert {name: (tmp_path / name).read_bytes() for name in contents} == contents
    finally:
        _run("umount", str(tmp_path))
    _run("blkdiscard", "-z", disk)
    assert not any(Path(disk).read_bytes())


def test_a_station_on_the_network_answers_to_ping(devices: dict[str, str]) -> None:
    _run("modprobe", "virtio_net")
    interface = _made(devices["net-station"], "net")
    _run("ip", "address", "add", f"{_HERE}/24", "dev", interface)
    _run("ip", "link", "set", interface, "up")
    try:
        said = _run("busybox", "ping", "-c", "5", "-W", "5", "-s", "1400", _THERE)
        assert "5 packets received, 0% packet loss" in said
        statistics = _DEVICES / devices["net-station"]
        received = next(statistics.glob("virtio*/net/*/statistics/rx_errors"))
        assert int(received.read_text()) == 0
    finally:
        _run("ip", "link", "set", interface, "down")
        _run("ip", "address", "flush", "dev", interface)


#: The ioctl for all of ethtool, and its command that sets the numbers of queues (linux/sockios.h, linux/ethtool.h).
_SIOCETHTOOL, _SCHANNELS = 0x8946, 0x3D


def _set_pairs(interface: str, count: int) -> None:
    """Have the kernel use so many queue pairs, as ``ethtool -L INTERFACE combined COUNT`` does."""
    # struct ethtool_channels: the command, four maxima, then receive, transmit, other and combined queues.
    channels = ctypes.create_string_buffer(struct.pack("9I", _SCHANNELS, 0, 0, 0, 0, 0, 0, 0, count))
    # struct ifreq: the interface's name and a pointer.
    request = struct.pack("16sP", interface.encode(), ctypes.addressof(channels)).ljust(40, b"\0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCETHTOOL, request)


def _used_by_queue(log: str, start: int) -> dict[int, int]:
    """How many buffers of each queue the server of a device has used since that place in its log."""
    counts: dict[int, int] = {}
    for line in Path(log).read_text(encoding="utf-8").splitlines()[start:]:
        row: dict[str, Any] = json.loads(line) if line.endswith("}") else {}
        if row.get("event") == "request completed":
            queue = int(row["detail"].split(",")[0].removeprefix("queue "))
            counts[queue] = counts.get(queue, 0) + 1
    return counts


def test_the_kernel_asks_for_a_second_queue_pair_and_gets_what_it_sends_there_back_on_it(
    devices: dict[str, str], boot: dict[str, Any]
) -> None:
    _run("modprobe", "virtio_net")
    interface = _made(devices["net-station"], "net")
    log, queues = boot["devices"]["net-station"]["log"], Path("/sys/class/net") / interface / "queues"
    start = len(Path(log).read_text(encoding="utf-8").splitlines())
    _set_pairs(interface, 2)
    assert sorted(path.name for path in queues.iterdir()) == ["rx-0", "rx-1", "tx-0", "tx-1"]
    _run("ip", "address", "add", f"{_HERE}/24", "dev", interface)
    _run("ip", "link", "set", interface, "up")
    try:
        # All that is sent goes to the second transmit queue.
        (queues / "tx-0" / "xps_cpus").write_text("0")
        (queues / "tx-1" / "xps_cpus").write_text("1")
        said = _run("busybox", "ping", "-c", "5", "-W", "5", "-s", "1400", _THERE)
        assert "5 packets received, 0% packet loss" in said
    finally:
        _run("ip", "link", "set", interface, "down")
        _run("ip", "address", "flush", "dev", interface)
        _set_pairs(interface, 1)
    used = _used_by_queue(log, start)
    assert used.get(4, 0) >= 2, "the commands went to the control queue behind both pairs"
    assert used.get(3, 0) >= 5
    assert used.get(2, 0) >= 5


def test_bytes_come_back_from_the_echoing_port(devices: dict[str, str]) -> None:
    _run("modprobe", "virtio_console")
    names = _DEVICES / devices["console"]
    port = _within(10, lambda: sorted(names.glob("virtio*/virtio-ports/*p1")))
    assert (port / "name").read_text().strip() == "org.uvirtio.port.1"
    data = random.Random(7).randbytes(20_000)
    descriptor = os.open(f"/dev/{port.name}", os.O_RDWR | os.O_NONBLOCK)
    try:
        sent, returned = 0, b""
        deadline = time.monotonic() + 30
        while len(returned) < len(data):
            assert time.monotonic() < deadline, f"{len(returned)} of {len(data)} bytes came back"
            readable, writable, _ = select.select([descriptor], [descriptor] if sent < len(data) else [], [], 1)
            if writable:
                sent += os.write(descriptor, data[sent : sent + 1000])
            if readable:
                returned += os.read(descriptor, 4096)
    finally:
        os.close(descriptor)
    assert returned == data
