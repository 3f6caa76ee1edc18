"""What the console driver says to a device, what it makes of control messages, and what its workload notices."""

from __future__ import annotations

import re
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.drivers.support import Answer, Seen, Stand, drive, running, stand_in, suspends_of
from uvirtio.errors import CannotRun, DeviceMisbehaved, DeviceTimeout, NotOffered, SuspendedError, WorkloadFailed
from uvirtio.spec.devices import console as spec
from uvirtio.spec.dialects import V1_4
from uvirtio.spec.ids import DeviceType
from uvirtio.suspend import Suspender
from uvirtio_drivers import workload_of
from uvirtio_drivers.console import Console, port_queues
from uvirtio_drivers.console_workload import stream
from uvirtio_drivers.workload import drain

READY, ADD, REMOVE, PORT_READY, CONSOLE, RESIZE, OPEN, NAME = range(8)
PORTS = 3


def sink(_seen: Seen) -> int:
    return 0


def echo(seen: Seen) -> int:
    """Every byte comes back on the port's receive queue."""
    if seen.queue not in (2, 3):
        seen.stand.offer(seen.queue - 1, seen.readable)
    return 0


def several(answer: Answer = sink, **config: int) -> type[Stand]:
    queues = 2 * (PORTS + 1)
    return stand_in(
        DeviceType.CONSOLE, answer, queues=queues, waiting=frozenset(range(0, queues, 2)), features=(spec.MULTIPORT,),
        config={"max_nr_ports": PORTS} | config,
    )  # fmt: skip


def single(answer: Answer = sink, *, features: tuple[int, ...] = (), **config: int) -> type[Stand]:
    return stand_in(DeviceType.CONSOLE, answer, queues=2, waiting=frozenset({0}), features=features, config=config)


def message(model: Stand, port: int, event: int, value: int = 0, rest: bytes = b"") -> None:
    model.offer(2, pack("<IHH", port, event, value) + rest)


def settle(console: Console) -> None:
    """Take what is there, and let answers go out."""
    console.service()
    console.device.wait_for(lambda: console.service() == 0 and not console.unanswered, 5.0)


def said(model: Stand) -> list[tuple[int, ...]]:
    return [tuple(int.from_bytes(part, "little") for part in (one.readable[:4], one.readable[4:6], one.readable[6:]))
            for one in model.seen if one.queue == 3]  # fmt: skip


def test_queues_of_ports_lie_around_the_control_queues() -> None:
    assert [port_queues(number) for number in range(4)] == [(0, 1), (4, 5), (6, 7), (8, 9)]


def test_the_driver_says_that_it_is_ready_and_answers_each_new_port_and_each_console() -> None:
    with running(several(), Console) as (console, _, bus):
        model = bus.function.device.model
        settle(console)
        assert said(model) == [(0, READY, 1)]
        message(model, 1, ADD)
        settle(console)
        assert said(model)[1:] == [(1, PORT_READY, 1), (1, OPEN, 1)]
        message(model, 1, CONSOLE, 1)
        message(model, 1, OPEN, 1)
        message(model, 1, NAME, 1, b"org.example.0\0")
        message(model, 1, RESIZE, 0, pack("<HH", 132, 50))
        settle(console)
        port = console.ports[1]
        assert (port.console, port.host_open, port.name, port.size) == (True, True, "org.example.0", (132, 50))
        assert said(model)[3:] == [(1, OPEN, 1)]
        message(model, 1, OPEN, 0)
        message(model, 1, 99)
        settle(console)
        assert not port.host_open


def test_a_port_that_was_removed_can_be_added_again_with_its_queues() -> None:
    with running(several(echo), Console) as (console, _, bus):
        model = bus.function.device.model
        for _ in range(3):
            message(model, 2, ADD)
            message(model, 2, NAME, 1, b"name")
            settle(console)
            console.ports[2].write(b"hello")
            assert console.ports[2].read(5) == b"hello"
            message(model, 2, REMOVE)
            settle(console)
            assert console.ports == {}
        message(model, 2, ADD)
        settle(console)
        assert console.ports[2].name == ""


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([(1, ADD), (1, ADD)], "port 1, which is there already"),
        ([(PORTS, ADD)], f"port {PORTS}, but max_nr_ports is {PORTS}"),
        ([(0xFFFF_FFFF, ADD)], "port 4294967295, but max_nr_ports"),
        ([(1, REMOVE)], "PORT_REMOVE is about port 1, which was not added"),
        ([(2, OPEN)], "PORT_OPEN is about port 2, which was not added"),
        ([(0, READY)], "sent DEVICE_READY, which is the driver's to send"),
        ([(0, PORT_READY)], "sent PORT_READY"),
        ([(0, ADD), (0, RESIZE)], "RESIZE of port 0 carries 0 bytes instead of 4"),
    ],
)
def test_a_control_message_that_no_device_may_send_is_named(messages: list[tuple[int, int]], says: str) -> None:
    with running(several(), Console) as (console, _, bus):
        for port, event in messages:
            message(bus.function.device.model, port, event, 1)
        with pytest.raises(DeviceMisbehaved, match=re.escape(says)):
            settle(console)


def test_a_control_message_that_is_cut_off_is_named() -> None:
    with running(several(), Console) as (console, _, bus):
        bus.function.device.model.offer(2, b"\1\0\0\0\1")
        with pytest.raises(DeviceMisbehaved, match="has 5 bytes; its head alone has 8"):
            settle(console)


@pytest.mark.parametrize("ports", [0, PORTS + 1, 0xFFFF_FFFF])
def test_an_impossible_number_of_ports_is_named(ports: int) -> None:
    with (
        pytest.raises(DeviceMisbehaved, match=f"max_nr_ports says {ports} with 8 virtqueues"),
        running(several(max_nr_ports=ports), Console),
    ):
        pass


def test_without_multiport_there_is_port_zero_alone() -> None:
    with running(single(echo), Console) as (console, _, bus):
        assert list(console.ports) == [0]
        data = stream(0, 100_000)
        console.ports[0].write(data)
        assert console.ports[0].read(len(data)) == data
        assert {one.queue for one in bus.function.device.model.seen} == {1}
        assert console.service() == 0


def test_reading_more_than_arrives_times_out_and_loses_nothing() -> None:
    with running(single(), Console) as (console, _, bus):
        bus.function.device.model.offer(0, b"half")
        with pytest.raises(DeviceTimeout, match="reading 8 bytes from console port 0"):
            console.ports[0].read(8, timeout=1.0)
        bus.function.device.model.offer(0, b"rest")
        assert console.ports[0].read(8) == b"halfrest"


def test_an_empty_receive_buffer_is_named() -> None:
    with running(single(), Console) as (console, _, bus):
        bus.function.device.model.offer(0, b"", 0)
        with pytest.raises(DeviceMisbehaved, match="receive buffer with length 0"):
            console.ports[0].read(1)


def test_terminal_size_and_emergency_writes_are_there_where_they_were_negotiated() -> None:
    with running(single(features=(spec.SIZE, spec.EMERG_WRITE), cols=80, rows=25), Console) as (console, _, bus):
        assert console.size == (80, 25)
        console.emergency_write(ord("!"))
        assert bus.function.device.model.get("emerg_wr") == 0x21
    with running(single(), Console) as (console, _, _):
        assert console.size is None
        with pytest.raises(NotOffered, match="EMERG_WRITE"):
            console.emergency_write(33)


def test_a_device_that_announces_no_port_is_named() -> None:
    with (
        running(several(), Console) as (console, _, _),
        pytest.raises(CannotRun, match="no such console port within 10 s"),
    ):
        workload_of(console)


@given(st.lists(st.integers(1, 9000), min_size=1, max_size=8))
def test_the_stream_is_the_same_however_it_is_cut(sizes: list[int]) -> None:
    position, pieces = 0, b""
    for size in sizes:
        pieces += stream(position, size)
        position += size
    assert pieces == stream(0, position)


def test_with_an_echoing_peer_the_whole_stream_has_to_come_back() -> None:
    with running(single(echo), Console, echoes=True) as (console, device, _):
        workload = workload_of(console)
        drive(device, workload)
        assert workload.bytes_returned == workload.bytes_sent > 10_000
        assert workload.sum_returned == workload.sum_sent
        assert "in order and undamaged" in workload.proves()


def test_without_a_peer_it_says_that_reception_was_not_tested() -> None:
    with running(single(), Console, echoes=False) as (console, device, _):
        workload = workload_of(console)
        drive(device, workload)
        assert "reception, were not tested" in workload.proves()


def change(data: bytes, how: str) -> bytes:
    return {"lost": data[:-1], "doubled": data + data[-1:], "damaged": data[:-1] + bytes((data[-1] ^ 8,))}[how]


@pytest.mark.parametrize("how", ["lost", "doubled", "damaged"])
def test_a_byte_that_was_lost_doubled_or_damaged_is_found_with_its_place(how: str) -> None:
    counter = [0]

    def answer(seen: Seen) -> int:
        counter[0] += 1
        seen.stand.offer(0, change(seen.readable, how) if counter[0] == 7 else seen.readable)
        return 0

    lines = running(single(answer), Console, echoes=True)
    with lines as (console, device, _), pytest.raises(WorkloadFailed, match=r"byte \d+ of the stream came back as"):
        drive(device, workload_of(console))


def test_bytes_missing_at_the_end_and_bytes_too_many_are_noticed() -> None:
    def last_lost(seen: Seen) -> int:
        seen.stand.offer(0, seen.readable[:-1] or b"?")
        return 0

    with running(single(last_lost), Console, echoes=True) as (console, device, _):
        workload = workload_of(console)
        workload.submit(1)
        workload.kick()
        drain(device, workload)
        with pytest.raises(WorkloadFailed, match=f"{workload.bytes_sent - 1} of {workload.bytes_sent} bytes came back"):
            workload.verify()

    with running(single(echo), Console, echoes=True) as (console, device, bus):
        workload = workload_of(console)
        drive(device, workload, 1)
        bus.function.device.model.offer(0, stream(workload.bytes_sent, 3))
        with pytest.raises(WorkloadFailed, match="came back of"):
            workload.reap()


def test_a_control_message_that_comes_while_suspended_is_answered_after_resume() -> None:
    with running(several(), Console) as (console, device, bus):
        model = bus.function.device.model
        message(model, 0, ADD)
        settle(console)
        message(model, 1, ADD)
        suspender = Suspender(device, V1_4)
        suspender.suspend()
        console.service()
        with pytest.raises(SuspendedError, match="D3"):
            console.ports[0].write(b"x")
        before = len(model.seen)
        suspender.resume()
        settle(console)
        assert said(model)[3:] == [(1, PORT_READY, 1), (1, OPEN, 1)]
        assert len(model.seen) == before + 2
        assert bus.log.faults() == []


@pytest.mark.parametrize("echoing", [True, False])
def test_a_hundred_suspends_with_bytes_in_flight_lose_nothing(echoing: bool) -> None:
    answer = echo if echoing else sink
    with running(single(answer), Console, parameters="?latency=0.003&depth=8", echoes=echoing, recorded=True) as (
        console,
        device,
        bus,
    ):
        workload = workload_of(console)
        cycles = list(suspends_of(console, device, workload, 100))
        assert [reason for cycle in cycles for reason in cycle.reasons] == []
        assert all(cycle.in_flight == 16 for cycle in cycles)
        assert sum(cycle.left_waiting for cycle in cycles) > 0
        assert workload.bytes_returned == (workload.bytes_sent if echoing else 0)
        assert bus.log.faults() == []
