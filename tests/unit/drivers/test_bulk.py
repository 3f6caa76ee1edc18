"""Many buffers at once: what is read and sent that way, over all queues, and what becomes of it when something goes wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.unit.drivers.support import Answer, Seen, Stand, running, stand_in
from uvirtio.access.clock import SimulatedClock
from uvirtio.errors import (
    DeviceError,
    DeviceMisbehaved,
    DeviceNeedsReset,
    DeviceTimeout,
    DriverMisuse,
    PastTheEnd,
    RequestFailed,
    RequestUnsupported,
    SuspendedError,
    Unaligned,
    WorkloadFailed,
)
from uvirtio.spec.devices import blk as blk_bits
from uvirtio.spec.devices import net as net_bits
from uvirtio.spec.dialects import V1_4
from uvirtio.spec.ids import DeviceType
from uvirtio.suspend import Suspender
from uvirtio_drivers import workload_of
from uvirtio_drivers.blk import Blk
from uvirtio_drivers.net import Net
from uvirtio_drivers.rng import Rng
from uvirtio_drivers.workload import drain

RINGS = {
    "split": "features=-RING_PACKED",
    "split, direct": "features=-RING_PACKED,-INDIRECT_DESC",
    "split, in order": "features=-RING_PACKED,%2bIN_ORDER",
    "split, in order, direct": "features=-RING_PACKED,%2bIN_ORDER,-INDIRECT_DESC",
    "split, no event index": "features=-RING_PACKED,-EVENT_IDX",
    "packed": "features=%2bRING_PACKED",
    "packed, direct": "features=%2bRING_PACKED,-INDIRECT_DESC",
    "packed, in order": "features=%2bRING_PACKED,%2bIN_ORDER",
    "packed, no event index": "features=%2bRING_PACKED,-EVENT_IDX",
}
rings = pytest.mark.parametrize("ring", RINGS.values(), ids=RINGS)

FRAME = bytes.fromhex("525400123456") * 2 + b"\x88\xb5" + bytes(46)
FRAMES = [FRAME + number.to_bytes(4, "little") for number in range(700)]
SECTORS = [number * 37 % 500 * 8 for number in range(300)]


def rng(query: str = "latency=0.0001") -> AbstractContextManager[tuple[Any, Any, Any]]:
    return running("emulated:rng?" + query, Rng)


def blk(query: str = "latency=0.0001") -> AbstractContextManager[tuple[Any, Any, Any]]:
    return running("emulated:blk?size=4M&queues=3&" + query, Blk)


def net(query: str = "latency=0.0001") -> AbstractContextManager[tuple[Any, Any, Any]]:
    return running("emulated:net?peer=sink&queues=2&" + query, Net)


ACTS: dict[str, tuple[Callable[..., Any], Callable[[Any], object]]] = {
    "rng": (rng, lambda driver: driver.read(300_000)),
    "blk": (blk, lambda driver: driver.read_many(SECTORS, 1024)),
    "net": (net, lambda driver: driver.transmit_batch(FRAMES)),
}
acts = pytest.mark.parametrize(("make", "act"), ACTS.values(), ids=ACTS)


@pytest.fixture(autouse=True, params=["simulated", "as if real"])
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if real: rings are looked at before anything sleeps, which shows nothing new where time stands still meanwhile."""
    monkeypatch.setattr(SimulatedClock, "simulated", request.param == "simulated")


# -- what comes out --------------------------------------------------------------------------------------------


@rings
@pytest.mark.parametrize("length", [512, 4096, 1 << 17])
def test_many_reads_give_what_single_reads_give_over_all_queues(ring: str, length: int) -> None:
    contents = random.Random(3).randbytes(4 << 20)
    with blk(f"latency=0.002&{ring}") as (driver, device, bus):
        driver.write(0, contents)
        used = [queue.state().driver_index for queue in device.queues.values()]
        sectors = [sector for sector in SECTORS if sector * 512 + length <= len(contents)]
        assert driver.read_many(sectors, length) == [contents[at * 512 : at * 512 + length] for at in sectors]
        assert all(
            queue.state().driver_index != before for queue, before in zip(device.queues.values(), used, strict=True)
        )
        assert bus.log.faults() == []


@rings
@pytest.mark.parametrize("count", [1, 16, 4096, 4097, 100_000, 400_000])
def test_as_many_bytes_as_were_asked_for_come_from_several_requests(ring: str, count: int) -> None:
    with rng(f"latency=0.002&{ring}") as (driver, _, bus):
        first, second = driver.read(count), driver.read(count)
        assert len(first) == len(second) == count
        assert count < 16 or first != second
        assert bus.log.faults() == []


@rings
def test_frames_of_one_length_are_sent_in_order_each_with_its_contents(ring: str) -> None:
    with net(ring) as (driver, _, bus):
        sent: list[bytes] = []
        bus.function.device.model._peer.send = sent.append
        driver.transmit_batch(FRAMES)
        driver.transmit_batch(FRAMES[:10])
        driver.transmit_batch([*FRAMES, FRAME])
        assert sent == [*FRAMES, *FRAMES[:10], *FRAMES, FRAME]
        assert bus.log.faults() == []


@pytest.mark.parametrize("count", [0, -5])
def test_no_bytes_are_no_request(count: int) -> None:
    with running(stand_in(DeviceType.RNG, lambda seen: seen.write(b"x")), Rng) as (driver, _, bus):
        assert driver.read(count) == b""
        assert bus.function.device.model.seen == []


def test_no_reads_are_no_request_and_reads_larger_than_a_request_are_several() -> None:
    with blk() as (driver, _, _):
        assert driver.read_many([], 512) == []
        assert driver.read_many([1, 2], 0) == [b"", b""]
        driver.write(0, contents := random.Random(3).randbytes(2 << 20))
        assert driver.read_many([8, 0], 1 << 20) == [contents[4096 : 4096 + (1 << 20)], contents[: 1 << 20]]


def test_data_is_cut_into_segments_where_the_device_wants_them_small() -> None:
    def answer(seen: Seen) -> int:
        assert seen.writable_sizes == [1536, 1536, 1024, 1]
        return seen.write(bytes(range(256)) * 16 + b"\0")

    with running(disk(answer, features=(blk_bits.SIZE_MAX, blk_bits.SEG_MAX), size_max=1536, seg_max=4), Blk) as (
        driver,
        _,
        _,
    ):
        assert driver.read_many(range(0, 400, 8), 4096) == [bytes(range(256)) * 16] * 50


@acts
def test_the_device_works_on_many_at_once(make: Callable[..., Any], act: Callable[[Any], object]) -> None:
    times = []
    for depth in (1, 16):
        with make(f"latency=0.01&depth={depth}") as (driver, device, _):
            started = device.clock.now()
            act(driver)
            times.append(device.clock.now() - started)
    assert times[0] / times[1] > 12


# -- leaving everything as it was ------------------------------------------------------------------------------


@acts
@rings
def test_queues_are_given_back_with_their_memory_and_their_notifications(
    make: Callable[..., Any], act: Callable[[Any], object], ring: str
) -> None:
    with make(f"latency=0.001&{ring}") as (driver, device, bus):
        act(driver)
        free = sum(end - start for _, start, end in bus.dma._free)
        for _ in range(3):
            act(driver)
        assert sum(end - start for _, start, end in bus.dma._free) == free
        assert not any(queue.state().interrupts_suppressed for queue in device.queues.values())
        workload = workload_of(driver)
        for _ in range(3):
            assert workload.submit() > 0
            workload.kick()
            drain(device, workload)
            workload.verify()
        act(driver)
        assert bus.log.faults() == []


@acts
def test_nothing_is_asked_of_a_suspended_device_and_everything_after_resume(
    make: Callable[..., Any], act: Callable[[Any], object]
) -> None:
    with make("latency=0.001") as (driver, device, bus):
        act(driver)
        suspender = Suspender(device, V1_4)
        suspender.suspend()
        used = [queue.state().driver_index for queue in device.queues.values()]
        with pytest.raises(SuspendedError, match="D3"):
            act(driver)
        assert [queue.state().driver_index for queue in device.queues.values()] == used
        suspender.resume()
        act(driver)
        assert bus.log.faults() == []


# -- what goes wrong -------------------------------------------------------------------------------------------


@acts
def test_a_device_that_is_too_slow_times_out_and_may_catch_up(
    make: Callable[..., Any], act: Callable[[Any], object]
) -> None:
    with make("latency=3&depth=1000") as (driver, device, _):
        timeout, device.timeout = device.timeout, 1.0
        with pytest.raises(DeviceTimeout, match="not within 1 s"):
            act(driver)
        assert not any(queue.state().interrupts_suppressed for queue in device.queues.values())
        device.timeout = 1000
        act(driver)
        device.timeout = 1.0
        with pytest.raises(DeviceTimeout):
            act(driver)
        device.timeout = 1000
        workload = workload_of(driver)
        assert workload.submit() > 0
        workload.kick()
        drain(device, workload)
        workload.verify()
        device.timeout = timeout


@pytest.mark.parametrize(
    ("make", "late", "again"),
    [
        (rng, lambda driver: driver.read(10000, 0.5), lambda driver: driver.read(16)),
        (blk, lambda driver: driver.read_many([0, 8, 16, 24], 512, 0.5), lambda driver: driver.read(0, 512)),
        (net, lambda driver: driver.transmit_batch(FRAMES[:300], 0.5), lambda driver: driver.transmit(FRAME)),
    ],
    ids=["rng", "blk", "net"],
)
def test_what_a_workload_reaps_in_place_of_a_call_that_timed_out_is_back_all_the_same(
    make: Callable[..., Any], late: Callable[[Any], object], again: Callable[[Any], object]
) -> None:
    # Few descriptors, so that the buffers are single ones and not a pool.
    with make("latency=1&queue_size=16") as (driver, device, _):
        workload = workload_of(driver)
        with pytest.raises(DeviceTimeout):
            late(driver)
        device.clock.sleep(60)
        workload.reap()
        again(driver)


@acts
def test_a_device_that_needs_a_reset_meanwhile_is_named_at_once(
    make: Callable[..., Any], act: Callable[[Any], object]
) -> None:
    with make("latency=0.001") as (driver, device, bus):
        bus.function.device.latency = 1000
        started = device.clock.now()
        device.clock.call_at(started + 2, lambda: bus.function.device.behaviour.fail("test"))
        with pytest.raises(DeviceNeedsReset):
            act(driver)
        assert 2 <= device.clock.now() - started < 3


def test_other_requests_in_flight_are_left_alone() -> None:
    with blk("latency=0.01") as (driver, device, _):
        workload = workload_of(driver)
        workload.submit(4)
        workload.kick()
        with pytest.raises(DriverMisuse, match="other buffers are in flight"):
            driver.read_many(SECTORS, 512)
        drain(device, workload)
        workload.verify()
        driver.read_many(SECTORS, 512)
    with net("latency=0.01") as (driver, device, _):
        workload = workload_of(driver)
        workload.submit(20)
        workload.kick()
        driver.transmit_batch(FRAMES)  # one by one, then
        drain(device, workload)
        workload.verify()
        assert workload.completed == 20


def disk(answer: Answer, **more: Any) -> type[Stand]:
    config = {name: more.pop(name) for name in ("size_max", "seg_max") if name in more}
    return stand_in(DeviceType.BLK, answer, config={"capacity": 1000, **config}, **more)


def every_seventh(act: Callable[[Seen], int]) -> Answer:
    counter = [0]

    def answer(seen: Seen) -> int:
        counter[0] += 1
        if counter[0] % 7 == 0:
            return act(seen)
        return seen.write(bytes(512) + b"\0")

    return answer


@pytest.mark.parametrize(
    ("act", "error", "says"),
    [
        (lambda seen: seen.write(bytes(512) + b"\1"), RequestFailed, "IOERR to a read of 512 bytes at sector 6"),
        (lambda seen: seen.write(bytes(512) + b"\2"), RequestUnsupported, "UNSUPP to a read of 512 bytes at sector 6"),
        (lambda seen: seen.write(bytes(512) + b"\x77"), DeviceMisbehaved, "status 0x77"),
        (lambda seen: seen.write(bytes(512)) + 1, DeviceMisbehaved, "without writing its status byte"),
        (lambda seen: seen.write(bytes(512) + b"\0") - 100, DeviceMisbehaved, "wrote 413 bytes for a read"),
        (lambda seen: seen.write(bytes(512) + b"\0") + 1, DeviceMisbehaved, "514 bytes"),
    ],
)
@pytest.mark.parametrize("count", [20, 100])
def test_a_read_that_fails_among_many_is_named_and_the_rest_is_taken_back(
    act: Callable[[Seen], int], error: type[DeviceError], says: str, count: int
) -> None:
    with running(disk(every_seventh(act)), Blk) as (driver, device, bus):
        with pytest.raises(error, match=says):
            driver.read_many(range(count), 512)
        if error is RequestFailed:
            assert device.queue(0).outstanding == 0
            type(bus.function.device.model).answer = staticmethod(lambda seen: seen.write(bytes(512) + b"\0"))
            assert driver.read_many(range(count), 512) == [bytes(512)] * count
            assert driver.read(5, 512) == bytes(512)


def test_after_a_failure_nothing_more_is_asked_for() -> None:
    with running(disk(every_seventh(lambda seen: seen.write(bytes(512) + b"\1"))), Blk) as (driver, _, bus):
        with pytest.raises(RequestFailed, match="at sector 6"):
            driver.read_many(range(1000), 512)
        assert len(bus.function.device.model.seen) <= 2 * 128


@pytest.mark.parametrize(
    ("sectors", "length", "error"),
    [
        ([0, 999, 1000], 512, PastTheEnd),
        ([0, 999], 1024, PastTheEnd),
        ([-1, 5], 512, PastTheEnd),
        ([0, 1], 100, Unaligned),
    ],
)
def test_reads_of_what_is_not_there_are_refused_before_any(
    sectors: list[int], length: int, error: type[Exception]
) -> None:
    with running(disk(lambda seen: 0), Blk) as (driver, _, bus):
        with pytest.raises(error):
            driver.read_many(sectors, length)
        assert bus.function.device.model.seen == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda seen: 0, "with length 0; it must write at least one byte"),
        (lambda seen: 4096, "did not write them all"),
        (lambda seen: seen.write(b"the same entropy every time it is asked for"), "the same 16 bytes twice"),
    ],
)
def test_entropy_that_is_none_is_noticed_in_long_reads_too(answer: Answer, says: str) -> None:
    device_type = stand_in(DeviceType.RNG, answer)
    with running(device_type, Rng) as (driver, _, _), pytest.raises(WorkloadFailed, match=says):
        driver.read(400_000)


def test_a_device_that_gives_a_few_bytes_at_a_time_is_asked_again() -> None:
    source = random.Random(9)
    with running(stand_in(DeviceType.RNG, lambda seen: seen.write(source.randbytes(500))), Rng) as (driver, _, bus):
        assert len(driver.read(200_000)) == 200_000
        assert len(bus.function.device.model.seen) >= 400


def test_frames_lie_behind_a_header_of_zeros_in_buffers_of_their_size() -> None:
    features = (net_bits.MAC, net_bits.CTRL_VQ)
    device_type = stand_in(DeviceType.NET, lambda seen: 0, queues=3, waiting=frozenset({0}), features=features)
    with running(device_type, Net) as (driver, _, bus):
        driver.transmit_batch(FRAMES)
        seen = bus.function.device.model.seen
        assert [one.readable for one in seen] == [bytes(12) + frame for frame in FRAMES]
        assert {(one.queue, tuple(one.readable_sizes)) for one in seen} == {(1, (12 + len(FRAME) + 4,))}
