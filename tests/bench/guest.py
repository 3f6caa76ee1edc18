"""``python -m tests.bench.guest``: our drivers and the kernel's, on the same devices of one guest, in turns.

Boots a guest with QEMU's own network, block and entropy device and two served ones, has ``tests/bench/inside.py`` measure
there, and shows ratios first: on a machine that is busy with other things only they mean something. The same device
changes hands between uio_pci_generic and the kernel's driver in every round.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure, compare, show, suspends
from tests.lab import missing, modern_qemu
from tests.vm.boots import Boot, Served, Stock
from tests.vm.machine import Guest, GuestError
from uvirtio_tools.benches.poll import measure_poll, measure_register
from uvirtio_tools.benches.transitions import measure_suspend
from uvirtio_tools.driving.opening import open_device

__all__ = ["main"]

_DISK_MIB = 256
#: Suspend and resume take so long in the served devices: one that is seen while the wait spins, and one that it sleeps through.
_DELAYS = {"suspend-quick": "0.002", "suspend-slow": "0.05"}
#: What one round and everything before the first may take, in seconds.
_ROUND_SECONDS, _START_SECONDS = 240.0, 300.0


def _boot(extra: str) -> Boot:
    stock = [
        Stock("net", f"virtio-net-pci,disable-legacy=on,mac=52:54:00:0a:0b:0c{extra}"),
        Stock("blk", f"virtio-blk-pci,disable-legacy=on,drive=disk{extra}"),
        Stock("rng", f"virtio-rng-pci,disable-legacy=on{extra}"),
    ]
    served = [Served(name, "rng", options=("--delay", delay)) for name, delay in _DELAYS.items()]
    return Boot((*stock, *served))


class _BenchGuest(Guest):
    """A guest that measures instead of testing, and writes a JSON line per figure."""

    def __init__(self, boot: Boot, disk: Path, rounds: int, seconds: float) -> None:
        self._disk = disk
        self._measure = ["-m", "tests.bench.inside", "--rounds", str(rounds), "--seconds", str(seconds)]
        super().__init__("bench", boot, [])

    def _words(self) -> list[str]:
        return self._measure

    def _device_options(self) -> list[str]:
        # Writes stay in QEMU's memory: nobody writes here, and nothing that does by mistake changes what is read.
        drive = f"id=disk,if=none,format=raw,file={self._disk},snapshot=on"
        return ["-drive", drive, *super()._device_options()]

    def lines(self, seconds: float) -> Iterator[dict[str, Any]]:
        """What the guest writes, as it comes, until it has shut down. Raises GuestError when it does not say that it is done."""
        deadline, done = time.monotonic() + seconds, False
        path = self._shared / "figures.jsonl"
        path.touch()
        with path.open(encoding="utf-8") as file:
            rest = ""
            while True:
                ended = self._process.poll() is not None
                *whole, rest = (rest + file.read()).split("\n")
                for line in whole:
                    row = json.loads(line)
                    done = done or row.get("done", False)
                    yield row
                if ended and done:
                    return
                if ended or time.monotonic() > deadline:
                    raise GuestError(f"the guest did not measure everything\n{self.evidence()}")
                time.sleep(0.1)

    def log(self, device: str) -> list[dict[str, Any]]:
        """What a served device saw and did."""
        text = (self._shared / f"{device}.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def without_guest(self, device: str) -> str:
        """The locator of a served device, once the guest has shut down: in a QEMU of its own."""
        return f"qemu:vfio-user-pci?socket={self._socket(device)}&qemu={modern_qemu()}"


@contextmanager
def _disk() -> Iterator[Path]:
    """An image with contents that no two sectors share, in memory where the machine has a file system for that."""
    folder = "/dev/shm" if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > _DISK_MIB << 21 else None
    with tempfile.TemporaryDirectory(prefix="uvirtio-bench-", dir=folder) as place:
        path = Path(place, "disk.img")
        with path.open("wb") as file:
            for _ in range(_DISK_MIB):
                file.write(os.urandom(1 << 20))
        yield path


def main(words: list[str] | None = None) -> int:
    """Measure and show; 0 when every target holds, 1 when one does not, 3 when something is missing here."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.guest", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often everything has its turn (default: 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each turn takes (default: 1)")
    parser.add_argument("--packed", action="store_true", help="let QEMU's devices offer packed rings")
    parser.add_argument("--json", metavar="FILE", help="keep every figure here")
    args = parser.parse_args(words)
    lacking = missing("guest")
    if shutil.which("fio") is None:
        lacking.append("no fio: apt-get install fio")
    if lacking:
        print("\n".join(lacking), file=sys.stderr)
        return 3
    load = [os.getloadavg()[0]]
    figures: list[Figure] = []
    polls: dict[str, dict[str, Any]] = {"memory on the host": measure_poll()[0]}
    late: dict[str, dict[str, Any]] = {}
    with _disk() as disk:
        guest = _BenchGuest(_boot(",packed=on" if args.packed else ""), disk, args.rounds, args.seconds)
        try:
            print(f"{guest.about}; load {load[0]:.1f}", file=sys.stderr)
            for row in guest.lines(_START_SECONDS + args.rounds * _ROUND_SECONDS):
                if "what" in row:
                    figures.append(Figure(**row))
                    print(f"  {figures[-1]}", file=sys.stderr)
                elif "poll" in row:
                    polls[row["poll"]] = row["row"]
            for name in _DELAYS:
                before = guest.log(name)
                with open_device(guest.without_guest(name)) as device:
                    polls[f"{name}, over qemu"] = measure_register(device)[0]
                    measure_suspend(device, 2 * args.seconds, None)
                late[f"{name}, in the guest"] = suspends(before)
                late[f"{name}, over qemu"] = suspends(guest.log(name)[len(before) :])
        except GuestError as error:
            print(error, file=sys.stderr)
            return 3
        finally:
            guest.close()
    load.append(os.getloadavg()[0])
    rows = compare(figures)
    document = {
        "schema": "uvirtio/bench-guest",
        "version": 1,
        "guest": guest.about,
        "load": load,
        "comparisons": rows,
        "poll": polls,
        "suspend": late,
        "figures": [figure.to_json() for figure in figures],
    }
    if args.json:
        Path(args.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(show(rows, polls, late))
    return 1 if any(row["holds"] is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
