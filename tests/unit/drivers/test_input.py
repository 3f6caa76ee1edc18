"""What the input driver asks, takes and sends, and what its workload notices."""

from __future__ import annotations

import re
from struct import pack
from typing import Any

import pytest

from tests.unit.drivers.support import Answer, Stand, drive, running, stand_in, suspends_of
from uvirtio.errors import DeviceMisbehaved, DeviceTimeout, SuspendedError, WorkloadFailed
from uvirtio.spec.dialects import V1_4
from uvirtio.spec.ids import DeviceType
from uvirtio.suspend import Suspender
from uvirtio_drivers import workload_of
from uvirtio_drivers.input import AbsInfo, DeviceIds, Event, Input

ANSWERS = {
    (1, 0): b"a keyboard",
    (3, 0): pack("<HHHH", 6, 0x627, 1, 2),
    (0x11, 0x11): b"\x07",
    (0x11, 1): bytes(3) + b"\x80\x01",
    (0x12, 0): pack("<5I", 0, 0x7FFF, 1, 2, 3),
    (0x12, 1): b"\0\0\0\0",
}


def input_type(
    answers: dict[tuple[int, int], bytes] = ANSWERS, answer: Answer = lambda _seen: 0, size: int | None = None
) -> type[Stand]:
    base = stand_in(DeviceType.INPUT, answer, queues=2, waiting=frozenset({0}))

    class Asked(base):  # type: ignore[valid-type,misc]
        def config_written(self, field: Any) -> None:
            text = answers.get((self.get("select"), self.get("subsel")), b"")
            self.put("size", len(text) if size is None else size)
            self.config[8:] = text.ljust(128, b"\0")

    return Asked


def test_answers_are_as_long_as_their_size_says() -> None:
    with running(input_type(), Input) as (device, _, bus):
        assert (device.name, device.serial) == ("a keyboard", "")
        assert device.ids == DeviceIds(6, 0x627, 1, 2)
        assert device.properties == frozenset()
        assert device.event_bits(0x11) == {0, 1, 2}
        assert device.event_bits(1) == {31, 32}
        assert device.abs_info(0) == AbsInfo(0, 0x7FFF, 1, 2, 3)
        assert device.abs_info(7) is None
        assert bus.log.faults() == []


def test_the_nul_behind_a_name_is_no_part_of_it() -> None:
    with running(input_type({(1, 0): b"a keyboard\0", (2, 0): b"7\0"}), Input) as (device, _, _bus):
        assert (device.name, device.serial) == ("a keyboard", "7")


@pytest.mark.parametrize(
    ("size", "act", "says"),
    [
        (129, lambda device: device.name, "is said to have 129 bytes; there is room for 128"),
        (255, lambda device: device.query(0x11, 3), "query 0x11/0x3 is said to have 255 bytes"),
        (7, lambda device: device.ids, "ID_DEVIDS has 7 bytes instead of 8"),
        (4, lambda device: device.abs_info(1), "ABS_INFO has 4 bytes instead of 20"),
    ],
)
def test_a_size_that_cannot_be_is_named(size: int, act, says: str) -> None:  # type: ignore[no-untyped-def]
    with (
        running(input_type(size=size), Input) as (device, _, _),
        pytest.raises(DeviceMisbehaved, match=re.escape(says)),
    ):
        act(device)


def test_events_come_in_order_and_more_than_there_are_buffers() -> None:
    with running(input_type(), Input) as (device, _, bus):
        for number in range(100):
            bus.function.device.model.offer(0, pack("<HHI", 1, number, 0xFFFF_FFFF))
        assert [device.read_event() for _ in range(100)] == [Event(1, number, 0xFFFF_FFFF) for number in range(100)]
        assert device.events() == []
        with pytest.raises(DeviceTimeout, match="waiting for an input event"):
            device.read_event(timeout=0.5)


@pytest.mark.parametrize(("data", "length"), [(b"\1\0\2\0", None), (bytes(8), 0), (bytes(8), 7)])
def test_an_event_of_the_wrong_length_is_named(data: bytes, length: int | None) -> None:
    with running(input_type(), Input) as (device, _, bus):
        bus.function.device.model.offer(0, data, length)
        with pytest.raises(DeviceMisbehaved, match="an event has 8 bytes"):
            device.events()


@pytest.mark.parametrize("features", ["", "features=%2bRING_PACKED"])
def test_status_events_are_eight_bytes_and_a_length_that_was_read_is_taken_as_known(features: str) -> None:
    with running(input_type(answer=lambda seen: 8), Input, parameters=f"?{features}" if features else "") as (
        device,
        _,
        bus,
    ):
        device.send_status(Event(0x11, 2, 1))
        (seen,) = bus.function.device.model.seen
    assert (seen.queue, seen.readable, seen.writable_sizes) == (1, bytes.fromhex("1100 0200 01000000"), [])


def test_a_suspended_device_is_neither_asked_nor_told() -> None:
    with running(input_type(), Input) as (device, driven, _):
        Suspender(driven, V1_4).suspend()
        with pytest.raises(SuspendedError, match="D5"):
            assert device.name
        with pytest.raises(SuspendedError, match="D3"):
            device.send_status(Event(0x11, 0, 1))


def test_the_workload_switches_the_leds_that_there_are_and_counts_events() -> None:
    with running(input_type(), Input) as (device, driven, bus):
        workload = workload_of(device)
        bus.function.device.model.offer(0, pack("<HHI", 1, 30, 1))
        drive(driven, workload)
        seen = bus.function.device.model.seen
        assert workload.events == 1
    assert [one.readable for one in seen[:4]] == [
        pack("<HHI", 0x11, code, value) for code, value in ((0, 0), (1, 0), (2, 0), (0, 1))
    ]
    assert len(seen) == workload.submitted == workload.completed == 128


def test_an_answer_that_changes_is_noticed() -> None:
    answers = dict(ANSWERS)
    with running(input_type(answers), Input) as (device, driven, _):
        workload = workload_of(device)
        drive(driven, workload)
        answers[0x11, 1] = b"\x01"
        with pytest.raises(WorkloadFailed, match="EV_BITS/0x1 was 0000008001 and is 01 now"):
            drive(driven, workload)


def test_a_hundred_suspends_with_status_in_flight_lose_nothing() -> None:
    with running(input_type(), Input, parameters="?latency=0.003&depth=4", recorded=True) as (device, driven, bus):
        workload = workload_of(device)
        cycles = list(suspends_of(device, driven, workload, 100))
        assert [reason for cycle in cycles for reason in cycle.reasons] == []
        assert all(cycle.in_flight == 32 for cycle in cycles)
        assert sum(cycle.left_waiting for cycle in cycles) > 0
        assert bus.log.faults() == []
