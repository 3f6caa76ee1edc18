"""What the bounded wait adds to a register read, so that what a wait measures is the device."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median

from uvirtio.access.clock import RealClock
from uvirtio.access.view import Region, View
from uvirtio.access.wait import CEILING, SPIN, poll
from uvirtio.device import Device

__all__ = ["measure_poll", "measure_register"]

_NEVER = bytes(256)
#: Seconds of one turn, in memory and on a device.
_TURN, _DEVICE_TURN = 2e-3, 20e-3


def _turn(view: View, index: int, seconds: float, clock: Callable[[], int]) -> tuple[float, float]:
    """A wait that only spins and ends at its deadline, and as many reads in a bare loop: nanoseconds per read of both."""
    start = clock()
    reads = poll(partial(view.__getitem__, index), _NEVER, RealClock(), seconds, spin=1 << 62).reads
    waited = clock() - start
    start = clock()
    for _ in range(reads):
        view[index]
    return waited / reads, (clock() - start) / reads


def _row(turns: list[tuple[float, float]]) -> dict[str, object]:
    """The wait's cost per read over a bare loop, and the steps in which it backs off."""
    return {
        "bench": "poll",
        "ratio_to_bare": round(median(waited / bare for waited, bare in turns), 2),
        "ns_more_per_read": round(median(waited - bare for waited, bare in turns), 1),
        "ns_per_read": round(median(waited for waited, _ in turns), 1),
        "ns_bare": round(median(bare for _, bare in turns), 1),
        "spin_reads": SPIN,
        "ceiling_seconds": CEILING,
    }


def measure_poll(turns: int = 25) -> list[dict[str, object]]:
    """One row: reads of plain memory, in processor time."""
    view = Region.mapped(memoryview(bytearray(64))).u8
    return [_row([_turn(view, 20, _TURN, time.thread_time_ns) for _ in range(turns)])]


def measure_register(device: Device, turns: int = 25) -> list[dict[str, object]]:
    """One row: reads of a device's status, which change nothing, in real time, since somebody else answers them."""
    view, index = device.transport.status_view, device.transport.status_index
    return [_row([_turn(view, index, _DEVICE_TURN, time.perf_counter_ns) for _ in range(turns)])]
