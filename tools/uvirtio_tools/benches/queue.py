"""That a queue's cost grows with the work and with nothing else: 1 to 32768 entries, 1 to 64 queues, millions of buffers."""

from __future__ import annotations

import gc
import sys
import time
from resource import RUSAGE_SELF, getrusage
from statistics import median

from uvirtio.spec.features import Feature, Features

from ..driving.opening import open_device
from .measure import Runner, interleave
from .ring import FORMATS, SIZE, Heap, pool_runner, queue_runner

__all__ = ["QUEUES", "SIZES", "measure_endurance", "measure_queues", "measure_sizes"]

SIZES = (1, 2, 16, 256, 4096, 32768)
QUEUES = (1, 2, 4, 8, 16, 32, 64)
#: Largest batch; smaller queues move what they hold.
_BATCH = 64


def measure_sizes(turns: int = 7) -> list[dict[str, object]]:
    """Rows per format and queue size: always as many buffers in flight as the queue holds, moved in batches."""
    rows: list[dict[str, object]] = []
    for format_ in FORMATS:
        runners = {}
        for size in SIZES:
            batch = min(size, _BATCH)
            times = max(4096 // batch, 2 * size // batch)
            runners[f"pool {size}"] = pool_runner(format_, batch, size, times, full=True)
            runners[f"queue {size}"] = queue_runner(format_, batch, size, max(1, times // 2), full=True)
        timing = interleave(runners, turns)
        rows += [
            {
                "bench": "queue",
                "format": format_,
                "size": size,
                "batch": min(size, _BATCH),
                "ratio_to_256": round(timing.ratio(f"pool {size}", "pool 256"), 2),
                "single_ratio_to_256": round(timing.ratio(f"queue {size}", "queue 256"), 2),
                "ns_per_buffer": round(timing.nanoseconds(f"pool {size}"), 1),
                "ns_single": round(timing.nanoseconds(f"queue {size}"), 1),
            }
            for size in SIZES
        ]
    return rows


def _round_robin(runners: list[Runner]) -> Runner:
    """One batch through each of these queues, over and over."""

    def run(times: int) -> None:
        for _ in range(times):
            for runner in runners:
                runner.run(1)

    def overhead(times: int) -> None:
        for _ in range(times):
            for runner in runners:
                if runner.overhead is not None:
                    runner.overhead(1)

    return Runner(run, _BATCH * len(runners), max(1, 64 // len(runners)), overhead)


def _set_up(format_: str, queues: int) -> float:
    """Nanoseconds per queue to set up so many queues of an emulated disk, until it could be started."""
    without = Features.of(Feature.RING_PACKED) if format_ == "split" else None
    with open_device(f"emulated:blk?queues={queues}") as device:
        device.reset()
        device.begin()
        device.negotiate(Features(), without=without)
        started = time.thread_time_ns()
        for index in range(queues):
            device.set_up_queue(index, SIZE)
        return (time.thread_time_ns() - started) / queues


def measure_queues(turns: int = 7) -> list[dict[str, object]]:
    """Rows per format and number of queues: a batch through each in turn, and what it takes to set one up."""
    rows: list[dict[str, object]] = []
    for format_ in FORMATS:
        set_up = {queues: median(_set_up(format_, queues) for _ in range(turns)) for queues in QUEUES}
        runners = {}
        for queues in QUEUES:
            heap = Heap()
            runners[str(queues)] = _round_robin([pool_runner(format_, _BATCH, heap=heap) for _ in range(queues)])
        timing = interleave(runners, turns)
        rows += [
            {
                "bench": "queue",
                "format": format_,
                "queues": queues,
                "size": SIZE,
                "batch": _BATCH,
                "ratio_to_1": round(timing.ratio(str(queues), "1"), 2),
                "ns_per_buffer": round(timing.nanoseconds(str(queues)), 1),
                "us_set_up_per_queue": round(set_up[queues] / 1000),
            }
            for queues in QUEUES
        ]
    return rows


def measure_endurance(buffers: int) -> list[dict[str, object]]:
    """Rows per format: that many buffers through one pool, and by how much the process has grown afterwards."""
    rows: list[dict[str, object]] = []
    for format_ in FORMATS:
        runner = pool_runner(format_, _BATCH, times=1)
        runner.run(1000)
        gc.collect()
        blocks, resident = sys.getallocatedblocks(), getrusage(RUSAGE_SELF).ru_maxrss
        runner.run(max(1, buffers // _BATCH))
        rows.append(
            {
                "bench": "queue",
                "format": format_,
                "size": 256,
                "batch": _BATCH,
                "buffers": buffers // _BATCH * _BATCH,
                "grown_objects": sys.getallocatedblocks() - blocks,
                "grown_kib": getrusage(RUSAGE_SELF).ru_maxrss - resident,
            }
        )
    return rows
