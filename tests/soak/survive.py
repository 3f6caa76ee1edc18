"""QEMU's own devices through pauses, snapshots and migrations to new processes, split and packed.

``python -m tests.soak.survive [FACTOR]`` prints what came of it; 20 pauses, 10 snapshots and 10 migrations for each device
without FACTOR.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

from tests.lab import modern_qemu
from uvirtio_tools.driving.opening import open_device
from uvirtio_tools.driving.options import RunOptions
from uvirtio_tools.judging.history import History
from uvirtio_tools.judging.survive_run import DeviceRun, SurviveRun
from uvirtio_tools.scenarios.enduring import Plan, Survivor, endure

__all__ = ["COUNTS", "KINDS", "moved"]

KINDS = ("virtio-rng-pci", "virtio-blk-pci", "virtio-net-pci", "virtio-serial-pci")
COUNTS = {"pause": 20, "snapshot": 10, "migrate": 10}


def moved(qemu: str, packed: bool, counts: dict[str, int], seed: int = 0) -> Iterator[SurviveRun]:
    """Four devices, each in a QEMU of its own, through so many events of each kind."""
    for name, count in counts.items():
        run = SurviveRun(seed, count)
        with ExitStack() as stack:
            survivors = []
            for kind in KINDS:
                run.devices.append(DeviceRun(kind))
                locator = f"qemu:{kind}?packed={'on' if packed else 'off'}&qemu={qemu}"
                device = stack.enter_context(open_device(locator, recorder=History))
                survivors.append(Survivor(run.devices[-1], device, RunOptions(seed=seed)))
            endure(run, survivors, Plan(count, seed=seed, names=(name,)))
        yield run


def main(words: list[str]) -> int:
    """The command."""
    factor = int(words[0]) if words else 1
    qemu, worst, began = modern_qemu(), 0, time.monotonic()
    for packed in (False, True):
        for run in moved(str(qemu), packed, {name: count * factor for name, count in COUNTS.items()}):
            worst = max(worst, run.status)
            print(
                f"{'packed' if packed else 'split'}: {run.verdict.value}, {run.events}, {run.seconds:.1f} s", flush=True
            )
            for device in run.devices:
                for incident in device.incidents:
                    for reason in incident.reasons:
                        print(f"  {device.locator}, event {incident.number}: {reason}")
    print(f"{time.monotonic() - began:.1f} s")
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
