"""That a queue's cost grows with the work and with nothing else: sizes from 1 to 32768, and millions of buffers."""

from __future__ import annotations

import gc
import sys
from resource import RUSAGE_SELF, getrusage

from .measure import interleave
from .ring import FORMATS, pool_runner, queue_runner

__all__ = ["SIZES", "measure_endurance", "measure_sizes"]

SIZES = (1, 2, 16, 256, 4096, 32768)
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
