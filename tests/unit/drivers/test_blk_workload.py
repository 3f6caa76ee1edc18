"""What the block workload notices, what it writes, and what it leaves alone."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest

from tests.unit.drivers.disk import Disk, disk_type
from tests.unit.drivers.support import drive, running, suspends_of
from uvirtio.errors import CannotRun, DeviceError, PastTheEnd, ReadOnly, UsageError, WorkloadFailed
from uvirtio.spec.devices import blk as spec
from uvirtio_drivers import workload_of
from uvirtio_drivers.blk import Blk
from uvirtio_drivers.signature import MARKS, find_signature

SECTORS = 4096


def test_a_disposable_disk_is_written_and_read_back() -> None:
    disk = Disk(SECTORS)
    with running(disk_type(disk), Blk) as (blk, device, _):
        workload = workload_of(blk)
        drive(device, workload, 12)
        assert workload.writing
        assert "read back undamaged" in workload.proves()
    assert len(set(disk.written)) > 50
    assert {0, SECTORS - 8} <= set(workload._places)


def test_both_queues_carry_traffic() -> None:
    with running(disk_type(Disk(SECTORS)), Blk) as (blk, device, bus):
        drive(device, workload_of(blk), 2)
        queues = [seen.queue for seen in bus.function.device.model.seen]
    assert queues.count(0) > 5
    assert queues.count(1) > 5


def test_somebodys_disk_is_only_read() -> None:
    disk = Disk(SECTORS)
    disk.contents[:] = before = random.Random(3).randbytes(len(disk.contents))
    with running(disk_type(disk), Blk, disposable=False) as (blk, device, bus):
        workload = workload_of(blk)
        drive(device, workload, 12)
        kinds = {seen.readable[0] for seen in bus.function.device.model.seen}
    assert kinds == {0}
    assert disk.contents == before
    assert "nothing was written" in workload.proves()
    assert "--scratch FIRST-LAST" in workload.proves()


def test_on_somebodys_disk_only_the_scratch_sectors_are_written() -> None:
    disk = Disk(SECTORS)
    with running(disk_type(disk), Blk, disposable=False) as (blk, device, _):
        drive(device, workload_of(blk, scratch=range(100, 300)), 12)
    assert disk.written
    # Aligned places of eight sectors that lie wholly inside.
    assert set(disk.written) == set(range(104, 296, 8))


@pytest.mark.parametrize(
    ("scratch", "error"),
    [
        (range(4000, 4097), PastTheEnd),
        (range(9, 9), UsageError),
        (range(-5, 10), PastTheEnd),
        (range(0, 100, 2), UsageError),
    ],
)
def test_scratch_sectors_that_cannot_be_used_are_refused(scratch: range, error: type[Exception]) -> None:
    disk = Disk(SECTORS)
    with running(disk_type(disk), Blk, disposable=False) as (blk, _, _), pytest.raises(error):
        workload_of(blk, scratch=scratch)


def test_a_scratch_smaller_than_a_logical_block_is_refused() -> None:
    disk = Disk(SECTORS)
    config = {"capacity": SECTORS, "num_queues": 2, "blk_size": 4096}
    device_type = disk_type(disk, features=(spec.MQ, spec.BLK_SIZE), config=config)
    with (
        running(device_type, Blk, disposable=False) as (blk, _, _),
        pytest.raises(UsageError, match="not one whole block"),
    ):
        workload_of(blk, scratch=range(9, 16))
    assert disk.written == []


def test_a_capacity_beyond_all_bounds_is_read_where_it_can_be() -> None:
    disk = Disk(SECTORS)
    device_type = disk_type(disk, config={"capacity": (1 << 64) - 1, "num_queues": 2})
    with running(device_type, Blk, disposable=False) as (blk, _, _):
        workload = workload_of(blk)
        assert len(workload._places) == 96
        with pytest.raises(PastTheEnd, match="18446744073709551615 sectors"):
            workload_of(blk, scratch=range(1 << 65))
        assert blk.read(0, 512) == bytes(512)


def test_a_device_without_sectors_has_no_workload() -> None:
    device_type = disk_type(Disk(SECTORS), config={"capacity": 0, "num_queues": 2})
    with running(device_type, Blk) as (blk, _, _), pytest.raises(CannotRun, match="no sectors"):
        workload_of(blk)


def test_one_sector_is_enough_for_scratch() -> None:
    disk = Disk(SECTORS)
    with running(disk_type(disk), Blk, disposable=False) as (blk, device, _):
        drive(device, workload_of(blk, scratch=range(77, 78)), 3)
    assert set(disk.written) == {77}


def test_a_read_only_device_cannot_have_scratch_sectors_and_is_only_read_without() -> None:
    disk = Disk(SECTORS)
    device_type = disk_type(disk, features=(spec.RO, spec.MQ))
    with running(device_type, Blk) as (blk, device, _):
        with pytest.raises(ReadOnly):
            workload_of(blk, scratch=range(8))
        drive(device, workload_of(blk), 2)
    assert disk.written == []


@pytest.mark.parametrize(("words", "offset", "mark"), MARKS, ids=lambda value: str(value)[:24])
def test_a_disposable_disk_that_carries_a_signature_is_not_written(words: str, offset: int, mark: bytes) -> None:
    disk = Disk(SECTORS)
    at = offset % len(disk.contents)
    disk.contents[at : at + len(mark)] = mark
    with running(disk_type(disk), Blk) as (blk, device, _):
        workload = workload_of(blk)
        drive(device, workload, 2)
        assert words.split(" (")[0] in workload.proves()
    assert disk.written == []


@pytest.mark.parametrize(("size", "offset"), [((64 << 20) + 4096, (64 << 20) - 65536), (1 << 20, (1 << 20) - 65536),
                                              (1 << 20, (1 << 20) - 8192), (1 << 20, (130 << 10))])  # fmt: skip
def test_raid_and_pool_members_are_told_by_marks_near_their_ends(size: int, offset: int) -> None:
    mark = b"\x0c\xb1\xba\x00\x00\x00\x00\x00" if offset == 130 << 10 else b"\xfc\x4e\x2b\xa9"
    contents = bytearray(size)

    def read(sector: int, length: int) -> bytes:
        return bytes(contents[sector * 512 : sector * 512 + length])

    assert find_signature(read, size // 512) is None
    contents[offset : offset + len(mark)] = mark
    assert find_signature(read, size // 512) is not None


def lose_one() -> Callable[[int, bytes], tuple[int, bytes] | None]:
    counts: dict[int, int] = {}

    def meddle(sector: int, data: bytes) -> tuple[int, bytes] | None:
        counts[sector] = counts.get(sector, 0) + 1
        return None if counts[sector] == 2 else (sector, data)

    return meddle


def repeat_an_old_one(disk: Disk) -> Callable[[int, bytes], tuple[int, bytes] | None]:
    first: dict[int, bytes] = {}

    def meddle(sector: int, data: bytes) -> tuple[int, bytes] | None:
        return sector, first.setdefault(sector, data)

    return meddle


def misplace(sector: int, data: bytes) -> tuple[int, bytes] | None:
    return (sector + 8) % SECTORS, data


def damage(sector: int, data: bytes) -> tuple[int, bytes] | None:
    return sector, data[:1000] + bytes((data[1000] ^ 1,)) + data[1001:]


@pytest.mark.parametrize(
    ("meddle", "says"),
    [
        (lambda disk: lose_one(), "the later one was lost, or the earlier one was done again"),
        (repeat_an_old_one, "the later one was lost, or the earlier one was done again"),
        (lambda disk: damage, "the first wrong byte is number 1000 of 4096"),
        (lambda disk: misplace, "damaged: the first wrong byte is number 0|went to the wrong place"),
    ],
)
def test_a_write_that_was_lost_repeated_misplaced_or_damaged_is_noticed(meddle, says: str) -> None:  # type: ignore[no-untyped-def]
    disk = Disk(SECTORS)
    disk.meddle = meddle(disk)
    with running(disk_type(disk), Blk) as (blk, device, _), pytest.raises(WorkloadFailed, match=says):
        drive(device, workload_of(blk), 40)


def test_a_read_that_changes_on_somebodys_disk_is_noticed() -> None:
    disk = Disk(SECTORS)
    with running(disk_type(disk), Blk, disposable=False) as (blk, device, _):
        workload = workload_of(blk)
        drive(device, workload, 10)
        disk.contents[:] = b"\x01" * len(disk.contents)
        with pytest.raises(WorkloadFailed, match="read differently than before"):
            drive(device, workload, 10)


@pytest.mark.parametrize("disposable", [True, False])
def test_a_read_that_is_reported_but_not_done_is_noticed(disposable: bool) -> None:
    disk = Disk(SECTORS)
    with running(disk_type(disk), Blk, disposable=disposable) as (blk, device, _):
        workload = workload_of(blk)
        disk.silent = True
        with pytest.raises(WorkloadFailed, match="wrote none"):
            drive(device, workload, 10)


def test_an_io_error_in_the_traffic_is_an_error_of_the_device() -> None:
    disk = Disk(SECTORS)
    with running(disk_type(disk), Blk) as (blk, device, bus):
        workload = workload_of(blk)
        type(bus.function.device.model).answer = staticmethod(
            lambda seen: seen.write(b"\x01", sum(seen.writable_sizes) - 1)
        )
        with pytest.raises(DeviceError, match=re.escape("IOERR to a write")):
            drive(device, workload, 2)


@pytest.mark.parametrize("disposable", [True, False])
def test_a_hundred_suspends_with_requests_in_flight_lose_nothing(disposable: bool) -> None:
    disk = Disk(SECTORS)
    with running(disk_type(disk), Blk, parameters="?latency=0.003&depth=2", disposable=disposable, recorded=True) as (
        blk,
        device,
        bus,
    ):
        workload = workload_of(blk)
        cycles = list(suspends_of(blk, device, workload, 100))
        assert [reason for cycle in cycles for reason in cycle.reasons] == []
        assert all(cycle.in_flight == 16 for cycle in cycles)
        assert sum(cycle.left_waiting for cycle in cycles) > 0
        assert workload.submitted == workload.completed
        assert bus.log.faults() == []
    assert bool(disk.written) == disposable
