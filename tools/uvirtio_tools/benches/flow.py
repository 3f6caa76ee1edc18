"""Buffers that flow through a queue: from a pool, in batches, prepared while the device works on those before them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from uvirtio.device import Device
from uvirtio.errors import DeviceTimeout, WorkloadFailed
from uvirtio.queue.policy import CompletionWait
from uvirtio.queue.pool import Pool
from uvirtio.spec.features import Feature

from ..driving.announced import Announcements

__all__ = ["Flow", "Numbers", "Pace", "flow", "make_pool"]

#: Gets numbers of a pool's buffers: to prepare them before they are published, or to check them once they are back.
Numbers = Callable[[Sequence[int]], None]

#: Real seconds per simulated second that are granted at most, so that a slow emulation ends too.
_PATIENCE = 5
#: Seconds without an answer after which the device is notified once more.
_NUDGE = 0.25
#: Seconds between looks at what the device announces.
_LOOK = 0.25
#: More buffers than will ever flow.
_ALL = 1 << 62


class Flow(NamedTuple):
    """What a run moved: buffers, seconds on the device's clock, real nanoseconds.

    ``kicks``: how often the device slept over published buffers until it was notified although it had asked for nothing.
    """

    buffers: int
    seconds: float
    real: int
    format: str
    kicks: int

    def row(self, bench: str, batch: int, size: int, simulated: bool) -> dict[str, object]:
        """As a row of ``uvirtio bench``; ``size`` in bytes."""
        rate = self.buffers / self.seconds if self.seconds else 0.0
        return {
            "bench": bench,
            "format": self.format,
            "batch": batch,
            "bytes": size,
            "per_second": round(rate),
            "bytes_per_second": round(rate * size),
            "ns_per_buffer": round(self.real / self.buffers, 1),
            "buffers": self.buffers,
            "extra_kicks": self.kicks,
            "simulated_time": simulated,
        }


class Pace(NamedTuple):
    """How buffers are kept in flight, and for how long at least."""

    #: Buffers in flight at most.
    depth: int
    #: Buffers published at once at least; None: half of ``depth``.
    batch: int | None = None
    #: Buffers that have to come back before it ends, however slow the device or the machine.
    least: int = 0


def make_pool(device: Device, index: int, readable: tuple[int, ...], writable: tuple[int, ...]) -> Pool:
    """As many buffers as the queue holds."""
    assert device.negotiated is not None, "pools are made on a started device"
    queue, parts = device.queue(index), len(readable) + len(writable)
    each = 1 if Feature.INDIRECT_DESC in device.negotiated.accepted else parts
    return queue.pool(queue.size // each, readable, writable)


def flow(
    device: Device,
    pool: Pool,
    seconds: float,
    pace: Pace,
    *,
    prepare: Numbers | None = None,
    check: Numbers | None = None,
) -> Flow:
    """For so many seconds on the device's clock, keep buffers of the pool in flight at this pace.

    A notification for each buffer that comes back would cost more than the buffer. Without ``prepare`` the buffers are ready
    as they are. Raises :class:`DeviceTimeout` when nothing comes back, and :class:`WorkloadFailed` when the device announces
    something meanwhile: what was counted may then be no work of the device.
    """
    queue, clock = device.queue(pool.queue.index), device.clock
    wait = CompletionWait(queue, device.notifications, clock)
    depth = min(pace.depth, pool.count)
    batch = max(1, min(depth // 2 if pace.batch is None else pace.batch, depth))
    done = kicks = 0
    ready = 0 if prepare is not None else _ALL
    announced = Announcements(device)
    started, real = clock.now(), time.perf_counter_ns()
    look = started + _LOOK
    end, patience = started + seconds, real + int(_PATIENCE * seconds * 1e9)
    while True:
        if ready < batch:
            ready = _make_ready(pool, depth, prepare, ready)
        if (room := min(depth - queue.outstanding, ready)) >= batch:
            pool.publish(room)
            # The next ones, while the device works on these.
            ready = _make_ready(pool, depth, prepare, ready - room)
        got = pool.reap()
        if not got:
            kicks += _await(device, queue.index, wait)
            got = pool.reap()
        if check is not None:
            check(pool.numbers[:got])
        done += got
        now = clock.now()
        if done >= pace.least and (now >= end or (clock.simulated and time.perf_counter_ns() >= patience)):
            spent = time.perf_counter_ns() - real
            _undisturbed(device, announced)
            return Flow(done, now - started, spent, queue.state().format, kicks)
        if now >= look:
            look = now + _LOOK
            _undisturbed(device, announced)


def _undisturbed(device: Device, announced: Announcements) -> None:
    if news := announced.news():
        raise WorkloadFailed(f"{device.function.locator}: no figure: {'; '.join(news)}")


def _make_ready(pool: Pool, depth: int, prepare: Numbers | None, ready: int) -> int:
    """Prepare free buffers until ``depth`` of them are ready; how many are."""
    if prepare is None:
        return ready
    more = min(depth, pool.free) - ready
    if more > 0:
        prepare(pool.upcoming(ready + more)[ready:])
        ready += more
    return ready


def _await(device: Device, index: int, wait: CompletionWait) -> int:
    """Wait for used buffers; how many notifications beyond those that the device wanted that took.

    QEMU's network device is one that needs them: on a packed ring with EVENT_IDX it leaves its event where it was before it
    took more buffers, once its backend has been busy, and then waits for a notification that nobody owes it.
    """
    if wait.wait(_NUDGE).outcome:
        return 0
    device.queue(index).kick()
    if wait.wait(device.timeout).outcome:
        return 1
    device.status.check_alive("moving buffers")
    raise DeviceTimeout(f"queue {index}: nothing came back within {device.timeout:g} s", seconds=device.timeout)
