"""What a notification costs by each way that a device has: interrupts per second, and a wait and a look for one."""

from __future__ import annotations

import time
from statistics import median

from uvirtio.device import Device
from uvirtio.errors import CannotRun, DeviceError, WorkloadFailed
from uvirtio.messages import Way
from uvirtio.spec.features import Features
from uvirtio.spec.registers import IsrBit

from ..driving.bring_up import BringUp
from ..driving.options import RunOptions

__all__ = ["measure_ways"]

#: Looks that are timed with nothing to see.
_LOOKS = 1000
#: Longest wait for one notification (s).
_LIMIT = 1.0


def measure_ways(device: Device, seconds: float, without: Features | None) -> list[dict[str, object]]:
    """A row for each way that works here: requests one at a time, each waited for by its notification alone."""
    rows, ways = [], (None, *Way)
    for way in ways:
        try:
            device.reset()
            if way is None:
                device.use_interrupts()
            else:
                device.use_messages(way)
            rows.append(_measure(device, seconds / len(ways), without))
        except (CannotRun, WorkloadFailed):
            continue
        finally:
            device.reset()
            device.use_interrupts()
    if not rows:
        raise CannotRun(f"{device.function.locator}: no notification of a request was seen, by ISR or by MSI-X")
    return rows


def _measure(device: Device, seconds: float, without: Features | None) -> dict[str, object]:
    bring_up = BringUp(device, RunOptions(without=without or Features()))
    bring_up.start(suspend=False)
    workload, told, now = bring_up.workload, device.notifications, device.clock.now
    if workload is None:
        raise CannotRun(bring_up.unmoved)
    told.collect()
    waits: list[float] = []
    started = now()
    try:
        while now() - started < seconds or not waits:
            workload.submit(1)
            begun = now()
            workload.kick()
            bits = 0
            while not bits & IsrBit.QUEUE and now() - begun < _LIMIT:
                bits = told.wait(_LIMIT)
            if not bits & IsrBit.QUEUE:
                raise CannotRun("no notification came")
            waits.append(now() - begun)
            while not workload.reap() and now() - begun < _LIMIT:
                device.clock.sleep(0)
        spent = now() - started
        return {
            "bench": "interrupts",
            "way": told.line.description if device.messages is not None else f"ISR, {told.line.description}",
            "per_second": round(len(waits) / spent) if spent else 0,
            "us_wait": round(median(waits) * 1e6, 1),
            "ns_look": _look(device),
            "simulated_time": device.clock.simulated,
        }
    except DeviceError as error:
        raise CannotRun(str(error)) from error
    finally:
        device.reset()
        bring_up.forget()


def _look(device: Device) -> int:
    """Nanoseconds of a look that shows nothing."""
    messages, collect = device.messages, device.notifications.collect
    started = time.perf_counter_ns()
    for _ in range(_LOOKS):
        if messages is not None:
            messages.take(flush=False)
        else:
            collect()
    return (time.perf_counter_ns() - started) // _LOOKS
