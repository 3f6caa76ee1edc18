"""Suspend and resume latency: as the driver saw it, and against when the device says that it had finished."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from uvirtio.device import Device
from uvirtio.spec.features import Features
from uvirtio.suspend import Suspender, Transition

from ..driving.bring_up import BringUp
from ..driving.options import RunOptions

__all__ = ["measure_suspend"]

_CYCLES = 50


def _finished(device: Device, event: str) -> list[float]:
    """When an emulated device finished, by its own log; nothing where the device keeps none that we can read."""
    done_at = device.function.surroundings.done_at
    return list(done_at(event)) if done_at is not None else []


def measure_suspend(device: Device, seconds: float, without: Features | None) -> list[dict[str, object]]:
    """Two rows, suspend and resume: medians in microseconds over 50 cycles or as many as fit into the time."""
    bring_up = BringUp(device, RunOptions(without=without or Features()), queues={})
    dialect = bring_up.choose()
    bring_up.proceed()
    suspender = Suspender(device, dialect, device.timeout)
    clock, started = device.clock, device.clock.now()
    seen: dict[str, list[tuple[float, Transition]]] = {"suspend": [], "resume": []}
    for _ in range(_CYCLES):
        for kind, go in (("suspend", suspender.suspend), ("resume", suspender.resume)):
            begun = clock.now()
            transition = go()
            seen[kind].append((begun, transition))
        if clock.now() - started >= seconds:
            break
    return [_row(kind, pairs, _finished(device, f"{kind} finished"), clock.simulated) for kind, pairs in seen.items()]


def _row(
    kind: str, pairs: Sequence[tuple[float, Transition]], finished: list[float], simulated: bool
) -> dict[str, object]:
    latencies = [transition.seconds for _, transition in pairs]
    row: dict[str, object] = {
        "bench": "suspend",
        "format": kind,
        "batch": 1,
        "cycles": len(pairs),
        "us_seen": _microseconds(latencies),
        "us_uncertainty": _microseconds([transition.seconds - transition.after for _, transition in pairs]),
        "reads": median(transition.reads for _, transition in pairs),
        "simulated_time": simulated,
    }
    if len(finished) == len(pairs):
        late = [begun + transition.seconds - end for (begun, transition), end in zip(pairs, finished, strict=True)]
        row["us_seen_after_finish"] = _microseconds(late)
    return row


def _microseconds(values: Sequence[float]) -> float:
    return round(median(values) * 1e6, 3)
