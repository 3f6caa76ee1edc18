"""Throughput of a real queue: buffers from a pool, kept in flight at a given depth, through our own driver side.

The device is polled; where nothing comes for a while, interrupts take over (see :mod:`uvirtio.queue.policy`). Block devices are
only read.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from random import Random

from uvirtio.device import Device
from uvirtio.errors import CannotRun, WorkloadFailed
from uvirtio.programs import environment, python_code
from uvirtio.spec.devices.net import STATUS
from uvirtio.spec.features import Features
from uvirtio.spec.formats import blk, net
from uvirtio.spec.ids import DeviceType

from ..driving.bring_up import BringUp
from ..driving.options import RunOptions
from .flow import Pace, flow, make_pool

__all__ = ["measure_blk", "measure_net", "measure_rng"]

_RNG_BYTES = 64
_BLK_BYTES = 4096
_MEBIBYTE = 1 << 20
_FRAMES = (60, 1500)
_NET_BATCH = 64
_TRANSMITQ = 1


def _start(device: Device, queues: dict[int, int], without: Features | None, extra: Features | None = None) -> None:
    """Reset, negotiate, with ``extra`` features of the type, set up these queues (index -> entries) and start."""
    BringUp(device, RunOptions(without=without or Features()), queues=queues).start(extra=extra)


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
        _start(device, {0: 32}, without)
        pool = make_pool(device, 0, (), (_RNG_BYTES,))
        moved = flow(device, pool, seconds, Pace(depth))
        rows.append(moved.row("rng", depth, _RNG_BYTES, device.clock.simulated))
    return rows


def measure_blk(device: Device, seconds: float, without: Features | None) -> list[dict[str, object]]:
    """Random reads of 4 KiB at depth 1 and 32, and 1 MiB reads at depth 4; each answer's status is checked."""
    _expect(device, DeviceType.BLK, "blk")
    rows = []
    for depth, size in ((1, _BLK_BYTES), (32, _BLK_BYTES), (4, _MEBIBYTE)):
        if row := _read(device, depth, size, seconds, without):
            rows.append(row)
    return rows


def _read(device: Device, depth: int, size: int, seconds: float, without: Features | None) -> dict[str, object] | None:
    """One row: reads of so many bytes, anywhere; None where the device is smaller than one."""
    # Three descriptors a buffer where there are no indirect tables; twice the depth, so that some can be prepared.
    _start(device, {0: max(8, 4 * depth)}, without)
    capacity = device.configuration.read(0, 4) | device.configuration.read(4, 4) << 32
    places, sectors = capacity * blk.SECTOR // size, size // blk.SECTOR
    if not places:
        return None
    pool = make_pool(device, 0, (blk.HEADER.size,), (size, blk.STATUS_SIZE))
    for header in pool.views[0]:
        blk.HEADER.pack_into(header, 0, blk.RequestType.IN, 0, 0)
    # The second half of every header is the sector.
    wanted, statuses, choose = pool.columns[0].cast("Q")[1::2], pool.columns[2], Random(depth).random

    def prepare(numbers: Sequence[int]) -> None:
        for number in numbers:
            wanted[number] = int(choose() * places) * sectors
            statuses[number] = blk.RequestStatus.IOERR

    def check(numbers: Sequence[int]) -> None:
        for number in numbers:
            if statuses[number]:
                raise WorkloadFailed(
                    f"{device.function.locator}: reading {size} bytes at sector {wanted[number]} ended with status {statuses[number]}"
                )

    moved = flow(device, pool, seconds, Pace(depth), prepare=prepare, check=check)
    return moved.row("blk", depth, size, device.clock.simulated)


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
    peer = device.function.surroundings.peer
    if peer is None:
        yield
        return
    with subprocess.Popen(python_code(_SINK), env=environment(), stdin=peer.fileno()) as sink:
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
    # STATUS: that the link goes down has to be seen.
    _start(device, {0: _NET_BATCH, _TRANSMITQ: 4 * _NET_BATCH}, without, Features.of(STATUS))
    pool = make_pool(device, _TRANSMITQ, (net.HEADER.size + size,), ())
    # Broadcast, from a locally administered address, with an EtherType for experiments.
    frame = b"\xff" * 6 + bytes((2, 0, 0, 0, 0, 1)) + b"\x88\xb5"
    for view in pool.views[0]:
        view[net.HEADER.size : net.HEADER.size + len(frame)] = frame
    stamps = [view[net.HEADER.size + 16 : net.HEADER.size + 24].cast("Q") for view in pool.views[0]]
    following = count()

    def stamp(numbers: Sequence[int]) -> None:
        for number, value in zip(numbers, following, strict=False):
            stamps[number][0] = value

    # The whole queue may be in flight, so that the device never waits for the next batch.
    moved = flow(device, pool, seconds, Pace(pool.count, _NET_BATCH), prepare=stamp if stamped else None)
    row = moved.row("net", _NET_BATCH, size, device.clock.simulated)
    return {**row, "frames": "stamped" if stamped else "prepared"}
