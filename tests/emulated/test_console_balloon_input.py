"""The emulated console, balloon and input devices."""

from __future__ import annotations

import struct

import pytest

from uvirtio.errors import CannotRun

from .raw import DEVICE, SUSPEND_14, Raw, RawQueue


def send(raw: Raw, queue: RawQueue, data: bytes) -> None:
    address, _ = raw.buffer(data)
    queue.publish((address, len(data), False))
    queue.kick()
    assert raw.until(lambda: queue.used_index() != queue.seen)
    queue.used_entries()


def offer(raw: Raw, queue: RawQueue, size: int = 64) -> memoryview:
    address, memory = raw.buffer(size)
    queue.publish((address, size, True))
    queue.kick()
    return memory


def received(queue: RawQueue, memory: memoryview) -> bytes:
    ((_, length),) = queue.used_entries()
    return bytes(memory[:length])


# Console


def console(*bits: int, queues: int = 2) -> Raw:
    raw = Raw("emulated:console")
    raw.bring_up(*bits, queues=queues)
    return raw


def test_a_single_port_echoes_bytes_into_buffers_of_any_size() -> None:
    raw = console()
    receive, transmit = raw.queues
    send(raw, transmit, b"hello, world")
    first, second = offer(raw, receive, 5), offer(raw, receive, 64)
    entries = receive.used_entries()
    assert [length for _, length in entries] == [5, 7]
    assert bytes(first[:5]) + bytes(second[:7]) == b"hello, world"


def test_the_terminal_size_is_in_the_configuration_and_its_change_is_notified() -> None:
    raw = console(0)
    assert (raw.bar.read(DEVICE, 2), raw.bar.read(DEVICE + 2, 2)) == (80, 25)
    raw.bus.triggers.fire("change_config", cols=132, rows=50)
    assert raw.isr() == 2
    assert (raw.bar.read(DEVICE, 2), raw.bar.read(DEVICE + 2, 2)) == (132, 50)


def control(raw: Raw) -> list[tuple[int, int, int, bytes]]:
    """Take control messages until there are none any more."""
    messages = []
    queue = raw.queues[2]
    while True:
        if not hasattr(raw, "spare"):
            raw.spare = offer(raw, queue)  # type: ignore[attr-defined]
        raw.clock.sleep(0.01)
        if queue.used_index() == queue.seen:
            return messages
        data = received(queue, raw.spare)  # type: ignore[attr-defined]
        del raw.spare  # type: ignore[attr-defined]
        messages.append((*struct.unpack("<IHH", data[:8]), data[8:]))


def test_ports_are_announced_named_and_opened_by_control_messages() -> None:
    raw = console(0, 1, queues=6)
    assert raw.bar.read(DEVICE + 4, 4) == 2
    send(raw, raw.queues[3], struct.pack("<IHH", 0, 0, 1))
    assert control(raw) == [(0, 1, 0, b""), (1, 1, 0, b"")]
    send(raw, raw.queues[3], struct.pack("<IHH", 1, 3, 1))
    assert control(raw) == [(1, 7, 1, b"org.uvirtio.port.1"), (1, 6, 1, b"")]
    send(raw, raw.queues[3], struct.pack("<IHH", 0, 3, 1))
    messages = control(raw)
    assert (0, 4, 1, b"") in messages
    assert (0, 5, 0, struct.pack("<HH", 80, 25)) in messages


def test_a_port_gets_its_bytes_when_the_driver_has_opened_it() -> None:
    raw = console(1, queues=6)
    send(raw, raw.queues[5], b"early")
    memory = offer(raw, raw.queues[4])
    assert raw.queues[4].used_index() == 0
    send(raw, raw.queues[3], struct.pack("<IHH", 1, 6, 1))
    assert received(raw.queues[4], memory) == b"early"


def test_a_writable_buffer_to_transmit_needs_a_reset() -> None:
    raw = console()
    address, _ = raw.buffer(8)
    raw.queues[1].publish((address, 8, True))
    raw.queues[1].kick()
    raw.clock.sleep(0.1)
    assert raw.status() & 0x40


def test_traffic_while_suspended_waits() -> None:
    raw = console(SUSPEND_14)
    memory = offer(raw, raw.queues[0])
    raw.set_status(0x1F)
    raw.bus.triggers.fire("send_traffic", data="abc")
    raw.clock.sleep(0.1)
    assert raw.queues[0].used_index() == 0
    raw.set_status(0x1F)
    assert received(raw.queues[0], memory) == b"abc"


def test_an_emergency_character_can_be_written_before_anything_else() -> None:
    raw = Raw("emulated:console")
    raw.bar.write(DEVICE + 8, 4, ord("!"))
    assert raw.bus.log.events("emergency write")[-1].detail == "0x21"
    assert raw.faults() == []


# Balloon


def test_pages_go_into_the_balloon_and_come_out() -> None:
    raw = Raw("emulated:balloon?pages=2")
    raw.bring_up(0, 1, queues=3)
    model = raw.function.device.model
    assert raw.bar.read(DEVICE, 4) == 2
    send(raw, raw.queues[0], struct.pack("<2I", 10, 11))
    assert model.pages == {10, 11}  # type: ignore[attr-defined]
    raw.bar.write(DEVICE + 4, 4, 2)
    assert raw.bar.read(DEVICE + 4, 4) == 2
    send(raw, raw.queues[1], struct.pack("<I", 10))
    assert model.pages == {11}  # type: ignore[attr-defined]
    assert raw.faults() == []
    send(raw, raw.queues[1], struct.pack("<I", 10))
    assert raw.faults()


def test_the_balloon_ignores_actual_while_suspended() -> None:
    raw = Raw("emulated:balloon")
    raw.bring_up(SUSPEND_14)
    raw.set_status(0x1F)
    raw.bar.write(DEVICE + 4, 4, 7)
    assert raw.bar.read(DEVICE + 4, 4) == 0


def test_statistics_are_asked_for_and_the_buffer_given_back() -> None:
    raw = Raw("emulated:balloon")
    raw.bring_up(1, queues=3)
    queue = raw.queues[2]
    with pytest.raises(CannotRun):
        raw.bus.triggers.fire("ask_statistics")
    address, _ = raw.buffer(struct.pack("<HQHQ", 4, 1 << 30, 77, 5))
    queue.publish((address, 20, False))
    queue.kick()
    assert queue.used_index() == 0
    raw.bus.triggers.fire("ask_statistics")
    assert queue.used_index() == 1
    assert raw.function.device.model.statistics == {"MEMFREE": 1 << 30}  # type: ignore[attr-defined]


def test_a_new_target_is_notified() -> None:
    raw = Raw("emulated:balloon")
    raw.bring_up()
    raw.bus.triggers.fire("change_config", num_pages=5)
    assert raw.isr() == 2
    assert raw.bar.read(DEVICE, 4) == 5


# Input


def query(raw: Raw, select: int, subsel: int) -> bytes:
    raw.bar.write(DEVICE, 1, select)
    raw.bar.write(DEVICE + 1, 1, subsel)
    size = raw.bar.read(DEVICE + 2, 1)
    return bytes(raw.bar.read(DEVICE + 8 + i, 1) for i in range(size))


def test_the_input_device_answers_queries() -> None:
    raw = Raw("emulated:input")
    raw.bring_up(queues=2)
    assert query(raw, 1, 0) == b"uvirtio emulated keyboard"
    assert struct.unpack("<4H", query(raw, 3, 0)) == (6, 0x1AF4, 1, 1)
    assert int.from_bytes(query(raw, 0x11, 1), "little") >> 30 & 1
    assert query(raw, 0x11, 2) == b""
    assert query(raw, 0x99, 0) == b""
    assert raw.faults() == []


def test_a_query_while_suspended_changes_nothing() -> None:
    raw = Raw("emulated:input")
    raw.bring_up(SUSPEND_14, queues=2)
    assert query(raw, 1, 0)
    raw.set_status(0x1F)
    raw.bar.write(DEVICE, 1, 2)
    assert raw.bar.read(DEVICE, 1) == 1


def test_key_strokes_come_as_events_and_lights_go_back() -> None:
    raw = Raw("emulated:input")
    raw.bring_up(queues=2)
    memories = [offer(raw, raw.queues[0], 8) for _ in range(4)]
    raw.bus.triggers.fire("send_traffic", count=1, code=30)
    assert [struct.unpack("<HHI", memory[:8]) for memory in memories] == [(1, 30, 1), (0, 0, 0), (1, 30, 0), (0, 0, 0)]
    assert raw.isr() == 1
    send(raw, raw.queues[1], struct.pack("<HHI", 0x11, 1, 1))
    assert list(raw.function.device.model.status) == [(0x11, 1, 1)]  # type: ignore[attr-defined]
