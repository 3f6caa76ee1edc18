"""What the bounded wait adds to a register read, so that what a wait measures is the device."""

from __future__ import annotations

import time
from statistics import median

from uvirtio.access.clock import RealClock
from uvirtio.access.view import Region
from uvirtio.access.wait import CEILING, SPIN, poll

__all__ = ["measure_poll"]

_NEVER = bytes(256)
#: Seconds of one turn.
_TURN = 2e-3


def _waited() -> tuple[float, int]:
    """One wait that only spins and ends at its deadline: (nanoseconds of processor time per read, reads)."""
    region = Region.mapped(memoryview(bytearray(64)))
    start = time.thread_time_ns()
    polled = poll(region.u8, 20, _NEVER, RealClock(), _TURN, spin=1 << 62)
    return (time.thread_time_ns() - start) / polled.reads, polled.reads


def _bare(reads: int) -> float:
    """The same reads in a bare loop: nanoseconds per read."""
    view = Region.mapped(memoryview(bytearray(64))).u8
    start = time.thread_time_ns()
    for _ in range(reads):
        view[20]
    return (time.thread_time_ns() - start) / reads


def measure_poll(turns: int = 25) -> list[dict[str, object]]:
    """One row: the wait's cost per read over a bare loop, and the steps in which it backs off."""
    waited, bare = [], []
    for _ in range(turns):
        cost, reads = _waited()
        waited.append(cost)
        bare.append(_bare(reads))
    more = [mine - other for mine, other in zip(waited, bare, strict=True)]
    return [
        {
            "bench": "poll",
            "ratio_to_bare": round(median(mine / other for mine, other in zip(waited, bare, strict=True)), 2),
            "ns_more_per_read": round(median(more), 1),
            "ns_per_read": round(median(waited), 1),
            "ns_bare": round(median(bare), 1),
            "spin_reads": SPIN,
            "ceiling_seconds": CEILING,
        }
    ]
