"""In the guest: each device is driven by the kernel's driver and by ours in turn, as fast as either can.

Writes a JSON line per figure to the folder that the guest shares with its host; `tests/bench/guest.py` starts this and reads them.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from tests.bench.figures import Figure
from tests.lab import IN_GUEST
from uvirtio_tools.benches import devices
from uvirtio_tools.benches.poll import measure_poll, measure_register
from uvirtio_tools.benches.transitions import measure_suspend
from uvirtio_tools.driving.opening import open_device

__all__ = ["main"]

_PCI = Path("/sys/bus/pci/devices")
_KERNEL_SECONDS = 10.0
_RNG_BYTES = 64
_PAGE = 4096
_PKTGEN = Path("/proc/net/pktgen")

#: What was measured, by whom, and how much of it a second.
Reached = Iterator[tuple[str, str, float]]


def _await(pattern: str) -> Path:
    """The path that the kernel makes once its driver has taken a device, under the name that udev gives it in the end."""
    deadline = time.monotonic() + _KERNEL_SECONDS
    while not any(Path("/").glob(pattern.lstrip("/"))):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the kernel made no {pattern}")
        time.sleep(0.05)
    subprocess.run(["udevadm", "settle"], check=True)
    return sorted(Path("/").glob(pattern.lstrip("/")))[0]


def _rate(step: Callable[[], int], seconds: float) -> float:
    """How much a second ``step`` does; it says how much each time."""
    done, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < seconds:
        done += step()
    return done / spent


# -- the kernel's drivers ----------------------------------------------------------------------------------------


def _kernel_net(address: str, seconds: float) -> Reached:
    """Frames from a Python loop over a packet socket; and from pktgen, for scale."""
    name = _await(f"{_PCI}/{address}/virtio*/net/*").name
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    try:
        for size in (60, 1500):
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packets:
                packets.bind((name, 0))
                frame = b"\xff" * 6 + bytes((2, 0, 0, 0, 0, 1)) + b"\x88\xb5" + bytes(size - 14)
                send = packets.send

                def burst(send: Callable[[bytes], int] = send, frame: bytes = frame) -> int:
                    for _ in range(64):
                        send(frame)
                    return 64

                yield f"net {size} bytes", "AF_PACKET", _rate(burst, seconds)
        yield "net 60 bytes", "pktgen", _pktgen(name, int(100_000 * seconds))
    finally:
        subprocess.run(["ip", "link", "set", name, "down"], check=True)


def _pktgen(name: str, count: int) -> float:
    """Packets a second of the kernel's own generator."""
    thread = _PKTGEN / "kpktgend_0"
    thread.write_text("rem_device_all\n")
    thread.write_text(f"add_device {name}\n")
    for line in (f"count {count}", "clone_skb 64", "pkt_size 60", "dst_mac ff:ff:ff:ff:ff:ff", "burst 64", "delay 0"):
        (_PKTGEN / name).write_text(f"{line}\n")
    (_PKTGEN / "pgctrl").write_text("start\n")
    found = re.search(r"(\d+)pps", (_PKTGEN / name).read_text())
    thread.write_text("rem_device_all\n")
    return float(found[1]) if found else 0.0


def _kernel_blk(address: str, seconds: float) -> Reached:
    """fio with io_uring, and single reads from a Python loop; both past the guest's page cache."""
    disk = Path("/dev", _await(f"{_PCI}/{address}/virtio*/block/*").name)
    for what, size, depth in (("blk 4 KiB depth 32", _PAGE, 32), ("blk 1 MiB depth 4", 1 << 20, 4)):
        yield what, "fio io_uring", _fio(disk, size, depth, seconds)
    buffer = mmap.mmap(-1, _PAGE)
    file = os.open(disk, os.O_RDONLY | os.O_DIRECT)
    try:
        pages = os.lseek(file, 0, os.SEEK_END) // _PAGE
        choose = Random(1).random

        def read() -> int:
            return os.preadv(file, [buffer], int(choose() * pages) * _PAGE) // _PAGE

        yield "blk 4 KiB depth 1", "preadv", _rate(read, seconds)
    finally:
        os.close(file)


def _fio(disk: Path, size: int, depth: int, seconds: float) -> float:
    words = ["--name=read", f"--filename={disk}", "--direct=1", "--rw=randread", f"--bs={size}", f"--iodepth={depth}"]
    words += ["--ioengine=io_uring", "--time_based", f"--runtime={seconds}", "--ramp_time=0.5", "--thread"]
    done = subprocess.run(["fio", *words, "--output-format=json"], check=True, stdout=subprocess.PIPE, text=True)
    read = json.loads(done.stdout[done.stdout.index("{") :])["jobs"][0]["read"]
    return float(read["iops"])


def _kernel_rng(address: str, seconds: float) -> Reached:
    """Reads of 64 bytes: one request to the device each."""
    _await(f"{_PCI}/{address}/virtio*")
    available = Path("/sys/class/misc/hw_random/rng_available").read_text().split()
    assert len(available) == 1, f"/dev/hwrng may be any of {', '.join(available)}"
    file = os.open("/dev/hwrng", os.O_RDONLY)
    try:
        yield "rng 64 bytes", "hwrng", _rate(lambda: len(os.read(file, _RNG_BYTES)), seconds) / _RNG_BYTES
    finally:
        os.close(file)


# -- ours --------------------------------------------------------------------------------------------------------


def _our_net(address: str, seconds: float) -> Reached:
    with open_device(address) as device:
        for row in devices.measure_net(device, seconds, None):
            yield f"net {row['bytes']} bytes {row['frames']}", "uvirtio", float(str(row["per_second"]))


def _our_blk(address: str, seconds: float) -> Reached:
    with open_device(address) as device:
        for row in devices.measure_blk(device, seconds, None):
            size = "4 KiB" if row["bytes"] == _PAGE else "1 MiB"
            yield f"blk {size} depth {row['batch']}", "uvirtio", float(str(row["per_second"]))


def _our_rng(address: str, seconds: float) -> Reached:
    with open_device(address) as device:
        for row in devices.measure_rng(device, seconds, None):
            yield f"rng 64 bytes depth {row['batch']}", "uvirtio", float(str(row["per_second"]))


SIDES = {"net": (_our_net, _kernel_net), "blk": (_our_blk, _kernel_blk), "rng": (_our_rng, _kernel_rng)}


def main() -> None:
    """Measure everything so many times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    args = parser.parse_args()
    shared = Path(os.environ[IN_GUEST])
    slots = {name: row["slot"] for name, row in json.loads(shared.joinpath("boot.json").read_text())["devices"].items()}
    for module in ("virtio_net", "virtio_blk", "virtio_rng", "pktgen"):
        subprocess.run(["modprobe", module], check=True)
    for name in (name for name in slots if name.startswith("suspend")):
        # The kernel's driver would offer them as /dev/hwrng too.
        (_PCI / slots[name] / "driver/unbind").write_text(slots[name])
    with shared.joinpath("figures.jsonl").open("a", encoding="utf-8", buffering=1) as file:
        for number in range(args.rounds):
            for name, sides in SIDES.items():
                # Who is first takes turns too.
                for side in sides if number % 2 else reversed(sides):
                    for what, who, per_second in side(slots[name], args.seconds):
                        print(json.dumps(Figure(number, what, who, per_second).to_json()), file=file)
        print(json.dumps({"poll": "memory in the guest", "row": measure_poll()[0]}), file=file)
        for name in ("rng", "suspend-quick"):
            with open_device(slots[name]) as device:
                row = measure_register(device)[0]
                print(json.dumps({"poll": f"{name}, in the guest", "row": row}), file=file)
        for name in (name for name in slots if name.startswith("suspend")):
            with open_device(slots[name]) as device:
                measure_suspend(device, 2 * args.seconds, None)
        print(json.dumps({"done": True}), file=file)


if __name__ == "__main__":
    main()
