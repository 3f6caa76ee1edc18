"""Throughput of a real queue: buffers from a pool, kept in flight at a given depth, through our own driver side.

The device is polled; where nothing comes for a while, interrupts take over (see :mod:`uvirtio.queue.policy`). Block devices are
only read.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from uvirtio.device import Device
from uvirtio.errors import CannotRun, DeviceTimeout, WorkloadFailed
from uvirtio.queue.policy import CompletionWait
from uvirtio.queue.pool import Pool
from uvirtio.spec.devices import device_spec
from uvirtio.spec.features import Feature, Features
from uvirtio.spec.formats import blk, net
from uvirtio.spec.ids import DeviceType

__all__ = ["measure_blk", "measure_net", "measure_rng"]

#: What prepares one buffer of a pool, by number, before it is published; None: they are ready as they are.
Prepare = Callable[[int], None]
#: Real seconds per simulated second that are granted at most, so that a slow emulation ends too.
_PATIENCE = 5
#: Seconds without an answer after which the device is notified once more.
_NUDGE = 0.25
_RNG_BYTES = 64
_BLK_BYTES = 4096
_MEBIBYTE = 1 << 20
_FRAMES = (60, 1500)
_NET_BATCH = 64
_TRANSMITQ = 1


@dataclass(frozen=True)
class _Flow:
    """What a run moved: buffers, seconds on the device's clock, real nanoseconds.

    ``kicks``: how often the device slept over published buffers until it was notified although it had asked for nothing.
    """

    buffers: int
    seconds: float
    real: int
    format: str
    kicks: int

    def row(self, bench: str, depth: int, size: int, simulated: bool) -> dict[str, object]:
        rate = self.buffers / self.seconds if self.seconds else 0.0
        return {
            "bench": bench,
            "format": self.format,
            "batch": depth,
            "bytes": size,
            "per_second": round(rate),
            "bytes_per_second": round(rate * size),
            "ns_per_buffer": round(self.real / self.buffers, 1),
            "buffers": self.buffers,
            "extra_kicks": self.kicks,
            "simulated_time": simulated,
        }


def _start(device: Device, wanted: Features, queues: dict[int, int], without: Features | None) -> None:
    """Reset, negotiate, set up these queues (index -> entries) and start."""
    device.reset()
    device.begin()
    device.negotiate(wanted, without=without, dependencies=device_spec(device.identity.type).dependencies)
    for index, size in queues.items():
        device.set_up_queue(index, size)
    device.driver_ok()


def _pool(device: Device, index: int, readable: tuple[int, ...], writable: tuple[int, ...]) -> Pool:
    """As many buffers as the queue holds."""
    assert device.negotiated is not None, "pools are made on a started device"
    queue, parts = device.queue(index), len(readable) + len(writable)
    each = 1 if Feature.INDIRECT_DESC in device.negotiated.accepted else parts
    return queue.pool(queue.size // each, readable, writable)


def _flow(device: Device, index: int, pool: Pool, depth: int, seconds: float, prepare: Prepare | None) -> _Flow:
    """Keep ``depth`` buffers in flight for so long. Raises :class:`DeviceTimeout` when nothing comes back."""
    queue, clock = device.queue(index), device.clock
    wait = CompletionWait(queue, device.isr, clock)
    depth = min(depth, pool.count)
    # Half of them at once: a notification for each buffer that comes back would cost more than the buffer.
    batch = max(1, depth // 2)
    done = kicks = 0
    started, real = clock.now(), time.perf_counter_ns()
    while True:
        room = depth - queue.outstanding
        if room >= batch:
            if prepare is not None:
                for number in pool.upcoming(room):
                    prepare(number)
            pool.publish(room)
        got = pool.reap()
        if got:
            done += got
        else:
            kicks += _await(device, index, wait)
        now, spent = clock.now(), time.perf_counter_ns() - real
        if now - started >= seconds or spent >= _PATIENCE * seconds * 1e9:
            return _Flow(done, now - started, spent, queue.state().format, kicks)


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
    device.check_alive("moving buffers")
    raise DeviceTimeout(f"queue {index}: nothing came back within {device.timeout:g} s", seconds=device.timeout)


def _expect(device: Device, device_type: int, bench: str) -> None:
    if device.identity.type != device_type:
        raise CannotRun(
            f"bench {bench} needs a {DeviceType(device_type).name.lower()} device; {device.function.locator} is a "
            f"{device.identity.type_name} device"
        )


def measure_rng(device: Device, seconds: float, without: Features | None) -> list[dict[str, object]]:
    """Requests of 64 bytes, one at a time and 32 in flight."""
    _expect(device, DeviceType.RNG, "rng")
    rows = []
    for depth in (1, 32):
        _start(device, Features(), {0: 32}, without)
        flow = _flow(device, 0, _pool(device, 0, (), (_RNG_BYTES,)), depth, seconds, None)
        rows.append(flow.row("rng", depth, _RNG_BYTES, device.clock.simulated))
    return rows


def measure_blk(device: Device, seconds: float, without: Features | None) -> list[dict[str, object]]:
    """Random reads of 4 KiB at depth 1 and 32, and 1 MiB reads at depth 4; each answer's status is checked."""
    _expect(device, DeviceType.BLK, "blk")
    rows = []
    for depth, size in ((1, _BLK_BYTES), (32, _BLK_BYTES), (4, _MEBIBYTE)):
        # Three descriptors a buffer where there are no indirect tables.
        entries = 4 * depth if size == _BLK_BYTES else 16
        _start(device, Features(), {0: entries}, without)
        capacity = device.read_config(0, 4) | device.read_config(4, 4) << 32
        places = capacity * blk.SECTOR // size
        if not places:
            continue
        pool = _pool(device, 0, (blk.HEADER.size,), (size, blk.STATUS_SIZE))
        headers, statuses = pool.views[0], pool.columns[2]
        choose = Random(depth).randrange

        def prepare(
            number: int,
            headers: list[memoryview] = headers,
            choose: Callable[[int], int] = choose,
            places: int = places,
            size: int = size,
        ) -> None:
            # Plain memory that the device does not own yet, so packing is fine here.
            blk.HEADER.pack_into(headers[number], 0, blk.RequestType.IN, 0, choose(places) * (size // blk.SECTOR))

        statuses[:] = bytes([blk.RequestStatus.IOERR]) * len(statuses)
        flow = _flow(device, 0, pool, depth, seconds, prepare)
        answered = statuses.tobytes().count(blk.RequestStatus.OK)
        if not answered:
            raise WorkloadFailed(f"{device.function.locator}: no read of {size} bytes succeeded")
        rows.append(flow.row("blk", depth, size, device.clock.simulated))
    return rows


#: Takes every frame that comes in on its standard input, until its parent is gone.
_SINK = """
import os, select
parent = os.getppid()
while os.getppid() == parent:
    if select.select([0], [], [], 0.5)[0]:
        os.read(0, 65536)
"""


@contextmanager
def _taken(device: Device) -> Iterator[None]:
    """Where this process holds the other end of the wire, let somebody take the frames, or the device would wait for that."""
    peer = getattr(device.function, "peer", None)
    if peer is None:
        yield
        return
    with subprocess.Popen([sys.executable, "-S", "-c", _SINK], stdin=peer.fileno()) as sink:
        try:
            yield
        finally:
            sink.kill()


def measure_net(device: Device, seconds: float, without: Features | None) -> list[dict[str, object]]:
    """Transmit frames of 60 and 1500 bytes in batches of 64: prepared in the pool, and each stamped by Python."""
    _expect(device, DeviceType.NET, "net")
    with _taken(device):
        return [_transmit(device, size, stamped, seconds, without) for size in _FRAMES for stamped in (False, True)]


def _transmit(device: Device, size: int, stamped: bool, seconds: float, without: Features | None) -> dict[str, object]:
    """One row: frames of this size, each stamped by Python or as the pool has them."""
    _start(device, Features(), {0: _NET_BATCH, _TRANSMITQ: 4 * _NET_BATCH}, without)
    pool = _pool(device, _TRANSMITQ, (net.HEADER.size + size,), ())
    # Broadcast, from a locally administered address, with an EtherType for experiments.
    frame = b"\xff" * 6 + bytes((2, 0, 0, 0, 0, 1)) + b"\x88\xb5"
    for view in pool.views[0]:
        view[net.HEADER.size : net.HEADER.size + len(frame)] = frame
    stamps = [view[net.HEADER.size + 16 : net.HEADER.size + 24].cast("Q") for view in pool.views[0]]
    count = 0

    def stamp(number: int, stamps: list[memoryview] = stamps) -> None:
        nonlocal count
        count += 1
        stamps[number][0] = count

    flow = _flow(device, _TRANSMITQ, pool, _NET_BATCH, seconds, stamp if stamped else None)
    row = flow.row("net", _NET_BATCH, size, device.clock.simulated)
    return {**row, "frames": "stamped" if stamped else "prepared"}
