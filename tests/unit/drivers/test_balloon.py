"""What the balloon driver tells the device, and what its workload notices."""

from __future__ import annotations

import re
from struct import iter_unpack, pack, unpack

import pytest

from tests.unit.drivers.support import Answer, Seen, Stand, drive, running, stand_in, suspends_of
from uvirtio.errors import CannotRun, DeviceMisbehaved, DeviceTimeout, SuspendedError, UsageError, WorkloadFailed
from uvirtio.spec.devices import balloon as spec
from uvirtio.spec.dialects import V1_4
from uvirtio.spec.formats.balloon import Stat
from uvirtio.spec.ids import DeviceType
from uvirtio.suspend import Suspender
from uvirtio_drivers import workload_of
from uvirtio_drivers.balloon import Balloon
from uvirtio_drivers.balloon_pages import page_numbers


def take(_seen: Seen) -> int:
    return 0


def balloon_type(answer: Answer = take, *, features: tuple[int, ...] = (), **config: int) -> type[Stand]:
    queues = 3 if spec.STATS_VQ in features else 2
    return stand_in(DeviceType.BALLOON, answer, queues=queues, waiting=frozenset({2}), features=features, config=config)


def numbers(seen: Seen) -> list[int]:
    return [number for (number,) in iter_unpack("<I", seen.readable)]


def test_pages_are_named_by_their_address_in_units_of_4096_and_actual_follows() -> None:
    with running(balloon_type(), Balloon) as (balloon, _, bus):
        balloon.inflate(3)
        assert (balloon.pages, balloon.actual) == (3, 3)
        balloon.deflate(1)
        assert (balloon.pages, balloon.actual) == (2, 2)
        first, second = bus.function.device.model.seen
        assert bus.log.faults() == []
    assert (first.queue, second.queue) == (0, 1)
    given = numbers(first)
    assert len(set(given)) == 3
    assert all(number << 12 >= 1 << 32 for number in given)
    assert numbers(second) == given[2:]


def test_many_pages_are_told_in_requests_of_256() -> None:
    with running(balloon_type(), Balloon) as (balloon, _, bus):
        balloon.inflate(600)
        seen = bus.function.device.model.seen
    assert [len(numbers(one)) for one in seen] == [256, 256, 88]


def test_the_driver_follows_what_the_host_wants_both_ways() -> None:
    with running(balloon_type(num_pages=20), Balloon) as (balloon, _, bus):
        assert balloon.follow() == balloon.actual == 20
        bus.function.device.model.change(num_pages=5)
        assert balloon.follow() == balloon.actual == 5
        assert balloon.follow() == 5


def test_statistics_are_supplied_once_and_again_whenever_the_device_asks() -> None:
    with running(balloon_type(features=(spec.STATS_VQ,)), Balloon) as (balloon, _, bus):
        queue = bus.function.device.queues[2]
        first = queue.take()
        assert unpack("<HQHQHQ", first.read()) == (Stat.MEMFREE, 0, Stat.MEMTOT, 0, Stat.AVAIL, 0)
        assert not balloon.service()
        assert queue.take() is None
        balloon.set_statistics({Stat.MEMTOT: 1 << 40})
        queue.finish(first, 0)
        assert balloon.service()
        assert unpack("<HQHQHQ", queue.take().read())[2:4] == (Stat.MEMTOT, 1 << 40)
        with pytest.raises(UsageError, match="SWAP_IN cannot be supplied"):
            balloon.set_statistics({Stat.SWAP_IN: 1})


def test_more_pages_than_there_are_cannot_be_taken_back() -> None:
    with running(balloon_type(), Balloon) as (balloon, _, bus):
        balloon.inflate(2)
        with pytest.raises(UsageError, match="3 pages cannot be taken back: there are 2"):
            balloon.deflate(3)
        assert len(bus.function.device.model.seen) == 1


def test_a_page_above_16_tib_is_refused_and_the_highest_below_is_not() -> None:
    assert page_numbers([(1 << 44) - 4096, 4096]) == pack("<II", 0xFFFF_FFFF, 1)
    with pytest.raises(CannotRun, match="0x100000000000"):
        page_numbers([1 << 44])


def test_a_length_for_a_buffer_that_cannot_be_written_is_named() -> None:
    says = "wrote 4 bytes into buffer 0, which has 0 writable"
    with running(balloon_type(lambda seen: 4), Balloon) as (balloon, _, _), pytest.raises(DeviceMisbehaved, match=says):
        balloon.inflate(1)


def test_a_device_that_does_not_acknowledge_times_out_and_actual_stays() -> None:
    with running(balloon_type(), Balloon, parameters="?latency=1000") as (balloon, _, _):
        with pytest.raises(DeviceTimeout, match="inflating the balloon by 1 pages"):
            balloon.inflate(1, timeout=1.0)
        assert balloon.actual == 0


def test_nothing_is_moved_or_told_while_the_device_is_suspended() -> None:
    with running(balloon_type(), Balloon) as (balloon, device, _):
        Suspender(device, V1_4).suspend()
        with pytest.raises(SuspendedError, match="D3"):
            balloon.inflate(1)
        with pytest.raises(SuspendedError, match="D5"):
            balloon.tell_actual(3)


def test_the_workload_moves_pages_in_and_out_and_keeps_count() -> None:
    inside: set[int] = set()

    def count(seen: Seen) -> int:
        pages = set(numbers(seen))
        if seen.queue == 0:
            assert not inside & pages, "a page went in twice"
            inside.update(pages)
        else:
            assert pages <= inside, "a page came out that was not in"
            inside.difference_update(pages)
        return 0

    with running(balloon_type(count), Balloon) as (balloon, device, _):
        workload = workload_of(balloon)
        drive(device, workload, 10)
        assert balloon.actual == len(inside)
        assert "kept their contents" in workload.proves()


def test_a_device_that_writes_to_a_page_which_is_not_in_the_balloon_is_noticed() -> None:
    def scribble(seen: Seen) -> int:
        neighbour = (numbers(seen)[0] + 1) << 12
        seen.stand.device.memory.write(neighbour + 100, b"\0\0\0\0\0\0\0\0")
        return 0

    says = "is not in the balloon, but its contents have changed"
    with running(balloon_type(scribble), Balloon) as (balloon, device, _), pytest.raises(WorkloadFailed, match=says):
        drive(device, workload_of(balloon), 10)


def test_a_device_may_write_to_the_pages_that_it_has() -> None:
    def wipe(seen: Seen) -> int:
        if seen.queue == 0:
            for number in numbers(seen):
                seen.stand.device.memory.write(number << 12, bytes(4096))
        return 0

    with running(balloon_type(wipe), Balloon) as (balloon, device, _):
        drive(device, workload_of(balloon), 10)


def test_a_count_that_the_device_does_not_keep_is_noticed() -> None:
    with running(balloon_type(), Balloon) as (balloon, device, bus):
        workload = workload_of(balloon)
        drive(device, workload, 10)
        bus.function.device.model.put("actual", 9999)
        with pytest.raises(WorkloadFailed, match=re.escape("says that 9999 pages")):
            workload.verify()


def test_a_hundred_suspends_with_requests_in_flight_lose_nothing() -> None:
    device_type = balloon_type(features=(spec.STATS_VQ,))
    with running(device_type, Balloon, parameters="?latency=0.003&depth=2", recorded=True) as (balloon, device, bus):
        workload = workload_of(balloon)
        cycles = list(suspends_of(balloon, device, workload, 100))
        assert [reason for cycle in cycles for reason in cycle.reasons] == []
        assert all(cycle.in_flight == 12 for cycle in cycles)
        assert sum(cycle.left_waiting for cycle in cycles) > 0
        assert bus.log.faults() == []
