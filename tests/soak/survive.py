"""QEMU's own devices through pauses, snapshots and migrations to new processes, and served ones suspended, saved, and restored
in another process; split and packed, the latter with INTx and MSI-X.

``python -m tests.soak.survive [FACTOR]`` prints what came of it; 20 pauses, 10 snapshots and 10 migrations for each device
without FACTOR, and 50 for each that is served.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

from tests.emulated.served import served
from tests.lab import modern_qemu
from uvirtio_tools.driving.opening import open_device
from uvirtio_tools.driving.options import RunOptions
from uvirtio_tools.judging.history import History
from uvirtio_tools.judging.survive_run import DeviceRun, SurviveRun
from uvirtio_tools.scenarios.enduring import Plan, Survivor, endure

__all__ = ["COUNTS", "KINDS", "moved", "served_elsewhere"]

KINDS = ("virtio-rng-pci", "virtio-blk-pci", "virtio-net-pci", "virtio-serial-pci")
#: What is served, with its parameters.
SERVED = ("rng", "blk --set size=128K", "net", "console")
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


def served_elsewhere(kind: str, packed: bool, interrupts: str, count: int, folder: Path) -> DeviceRun:
    """A served device that is suspended, saved, restored in another process, and resumed so many times."""
    words = [*kind.split(), *(() if packed else ("--set", "features=-RING_PACKED"))]
    run, plan = DeviceRun(kind), Plan(count, asleep=True, names=("migrate",))
    with (
        served(folder, *words),
        open_device(f"vfio-user:{folder / 's'}?control={folder / 'c'}", recorder=History) as device,
    ):
        endure(SurviveRun(), [Survivor(run, device, RunOptions(interrupts=interrupts))], plan)
    return run


def _served(factor: int) -> int:
    worst = 0
    for kind, packed, interrupts in product(SERVED, (False, True), ("intx", "msix")):
        with tempfile.TemporaryDirectory(prefix="uvirtio-soak-") as folder:
            run = served_elsewhere(kind, packed, interrupts, 50 * factor, Path(folder))
        worst |= run.verdict.bad
        print(
            f"served {kind}, {'packed' if packed else 'split'}, {interrupts}: {run.verdict.value}, {len(run.incidents)}",
            flush=True,
        )
        for incident in run.incidents:
            for reason in incident.reasons:
                print(f"  event {incident.number}: {reason}")
    return int(worst)


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
    worst = max(worst, _served(factor))
    print(f"{time.monotonic() - began:.1f} s")
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
