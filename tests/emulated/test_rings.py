"""Ring features on the device side: packed rings, indirect tables, event suppression, order, notifications, reset."""

from __future__ import annotations

import random
import struct

import pytest

from .raw import NOTIFY, SUSPEND_14, Raw, RawQueue
from .rawpacked import INDIRECT, WRITE, RawPacked, bring_up

INDIRECT_DESC, EVENT_IDX, IN_ORDER, NOTIFICATION_DATA, NOTIF_CONFIG_DATA, RING_RESET = 28, 29, 35, 38, 39, 40


def finish(raw: Raw, queue: RawPacked, count: int) -> list[tuple[int, int]]:
    entries: list[tuple[int, int]] = []

    def all_there() -> bool:
        entries.extend(queue.used_entries())
        return len(entries) >= count

    assert raw.until(all_there)
    return entries


def test_packed_is_offered_and_moves_data() -> None:
    raw = Raw("emulated:rng")
    assert raw.offered() >> 34 & 1
    queue = bring_up(raw)
    address, memory = raw.buffer(64)
    identifier = queue.publish((address, 64, WRITE))
    queue.kick()
    assert finish(raw, queue, 1) == [(identifier, 64)]
    assert len(set(memory[:64])) > 16
    assert raw.isr() == 1


@pytest.mark.parametrize("size", [2, 7, 16])
def test_a_packed_ring_of_any_size_goes_round_with_lists_of_any_length(size: int) -> None:
    raw = Raw("emulated:rng?latency=1e-5&depth=3")
    queue = bring_up(raw, size=size)
    address, _ = raw.buffer(64)
    choose = random.Random(size)
    outstanding: dict[int, int] = {}
    done = 0
    while done < 400:
        while queue.free and sum(queue.lengths.values()) < size:
            room = size - sum(queue.lengths.values())
            pieces = choose.randint(1, min(3, room))
            outstanding[queue.publish(*[(address, 8, WRITE)] * pieces)] = 8 * pieces
        queue.kick()
        for identifier, length in finish(raw, queue, 1):
            assert outstanding.pop(identifier) == length
            done += 1
    assert raw.faults() == []


def test_packed_indirect_tables_hold_all_elements_without_next() -> None:
    raw = Raw("emulated:rng")
    queue = bring_up(raw, INDIRECT_DESC)
    first, one = raw.buffer(16)
    second, two = raw.buffer(16)
    table, _ = raw.buffer(struct.pack("<QIHH", first, 16, 0, WRITE) + struct.pack("<QIHH", second, 16, 0, WRITE))
    identifier = queue.publish((table, 32, INDIRECT))
    queue.kick()
    assert finish(raw, queue, 1) == [(identifier, 32)]
    assert any(one[:16])
    assert any(two[:16])


def test_split_indirect_tables_follow_next() -> None:
    raw = Raw("emulated:rng")
    queue = raw.bring_up(INDIRECT_DESC)
    target, memory = raw.buffer(16)
    table, _ = raw.buffer(struct.pack("<QIHH", target, 8, 3, 2) + bytes(16) + struct.pack("<QIHH", target + 8, 8, 2, 0))
    queue.memory.memory[0:16] = struct.pack("<QIHH", table, 48, 4, 0)
    queue.store16(queue.avail + 4, 0)
    queue.store16(queue.avail + 2, 1)
    queue.kick()
    assert raw.until(lambda: queue.used_index() == 1)
    assert queue.used_entries() == [(0, 16)]
    assert any(memory[8:16])


@pytest.mark.parametrize("length", [0, 8, 16 * 17])
def test_an_indirect_table_of_a_wrong_size_needs_a_reset(length: int) -> None:
    raw = Raw("emulated:rng?instant=on")
    queue = bring_up(raw, INDIRECT_DESC)
    table, _ = raw.buffer(16 * 20)
    queue.publish((table, length, INDIRECT))
    queue.kick()
    assert raw.status() == 0x4F


def test_an_indirect_table_that_was_not_negotiated_needs_a_reset() -> None:
    raw = Raw("emulated:rng?instant=on")
    queue = bring_up(raw)
    table, _ = raw.buffer(16)
    queue.publish((table, 16, INDIRECT))
    queue.kick()
    assert raw.status() == 0x4F


def test_packed_interrupts_can_be_disabled_and_asked_for_at_a_descriptor() -> None:
    raw = Raw("emulated:rng?latency=0.001&depth=1")
    queue = bring_up(raw, EVENT_IDX, size=4)
    address, _ = raw.buffer(8)

    def one() -> int:
        queue.publish((address, 8, WRITE))
        queue.kick()
        finish(raw, queue, 1)
        return raw.isr()

    struct.pack_into("<HH", queue.driver.memory, 0, 0, 1)
    assert [one(), one()] == [0, 0]
    struct.pack_into("<HH", queue.driver.memory, 0, 3 | 1 << 15, 2)  # descriptor 3 of this lap
    assert [one(), one()] == [0, 1]
    struct.pack_into("<HH", queue.driver.memory, 0, 1, 2)  # descriptor 1 of the next lap, whose counter is 0
    assert [one(), one(), one()] == [0, 1, 0]
    struct.pack_into("<HH", queue.driver.memory, 0, 0, 0)
    assert one() == 1


def test_the_device_asks_to_be_told_about_the_next_descriptor() -> None:
    raw = Raw("emulated:rng")
    queue = bring_up(raw, EVENT_IDX)
    address, _ = raw.buffer(8)
    queue.publish((address, 8, WRITE))
    queue.kick()
    finish(raw, queue, 1)
    assert struct.unpack("<HH", queue.device.memory[:4]) == (1 | 1 << 15, 2)


def test_split_avail_event_follows_what_was_consumed() -> None:
    raw = Raw("emulated:rng")
    queue = raw.bring_up(EVENT_IDX)
    raw.ask(queue)
    queue.kick()
    assert raw.until(lambda: queue.used_index() == 1)
    at = queue.used + 4 + 8 * queue.size
    assert queue.memory.memory[at : at + 2] == b"\1\0"


def test_in_order_uses_a_batch_with_one_entry_on_a_packed_ring() -> None:
    raw = Raw("emulated:rng?features=%2bIN_ORDER&latency=0.01&depth=4")
    queue = bring_up(raw, IN_ORDER)
    address, _ = raw.buffer(8)
    sent = [queue.publish((address, 8, WRITE)) for _ in range(3)]
    queue.kick()
    raw.clock.sleep(0.1)
    assert queue.used_entries(in_order=True) == [(sent[2], 8)]
    assert queue.used == 3


def test_in_order_uses_a_batch_with_one_entry_on_a_split_ring() -> None:
    raw = Raw("emulated:rng?features=%2bIN_ORDER&latency=0.01&depth=4")
    queue = raw.bring_up(IN_ORDER)
    heads = [raw.ask(queue)[0] for _ in range(3)]
    queue.kick()
    assert raw.until(lambda: queue.used_index() == 3)
    assert struct.unpack_from("<II", queue.memory.memory, queue.used + 4) == (heads[2], 64)


def kick_with(raw: Raw, index: int, width: int, value: int) -> None:
    raw.bar.write(NOTIFY + 4 * raw.r16(0x1E, select=index), width, value)


def test_notification_data_is_32_bits_with_the_next_index() -> None:
    raw = Raw("emulated:rng?features=%2bNOTIFICATION_DATA&instant=on")
    queue = raw.bring_up(NOTIFICATION_DATA)
    raw.ask(queue)
    kick_with(raw, 0, 4, 1 << 16)
    assert queue.used_index() == 1
    assert raw.faults() == []
    kick_with(raw, 0, 4, 7 << 16)
    assert "bear out" in raw.faults()[-1]
    kick_with(raw, 0, 2, 0)
    assert "instead of 32" in raw.faults()[-1]


def test_notif_config_data_names_the_queue() -> None:
    raw = Raw("emulated:rng?features=%2bNOTIF_CONFIG_DATA&instant=on")
    queue = raw.bring_up(NOTIF_CONFIG_DATA)
    raw.ask(queue)
    kick_with(raw, 0, 2, 0)
    assert queue.used_index() == 0
    assert raw.faults()
    kick_with(raw, 0, 2, raw.r16(0x38, select=0))
    assert queue.used_index() == 1


@pytest.mark.parametrize("kind", ["rng", "net", "console"])
def test_notif_config_data_reads_0_where_it_was_not_negotiated(kind: str) -> None:
    raw = Raw(f"emulated:{kind}?features=%2bNOTIF_CONFIG_DATA")
    assert raw.r16(0x38, select=0) == 0
    raw.negotiate()
    assert [raw.r16(0x38, select=index) for index in (0, 1)] == [0, 0]
    raw.negotiate(NOTIF_CONFIG_DATA)
    assert raw.r16(0x38, select=0) != 0
    raw.set_status(0)
    assert raw.r16(0x38, select=0) == 0


def test_a_queue_is_reset_and_enabled_again_with_another_size() -> None:
    raw = Raw("emulated:rng?latency=0.01")
    queue = raw.bring_up(RING_RESET)
    raw.ask(queue)
    queue.kick()
    raw.bar.write(0x3A, 2, 1)
    assert (raw.bar.read(0x3A, 2), raw.bar.read(0x1C, 2)) == (0, 0)
    raw.clock.sleep(0.1)
    assert queue.used_index() == 0, "what was in process is not executed any more"
    assert raw.bar.read(0x18, 2) == 256
    again = raw.enable(0, 8)
    head, _ = raw.ask(again)
    again.kick()
    assert raw.until(lambda: again.used_index() == 1)
    assert again.used_entries() == [(head, 64)]


def test_a_queue_reset_without_the_feature_or_while_suspended_does_nothing() -> None:
    raw = Raw("emulated:rng")
    raw.bring_up(SUSPEND_14)
    raw.bar.write(0x3A, 2, 1)
    assert raw.bar.read(0x1C, 2) == 1
    raw.bring_up(SUSPEND_14, RING_RESET)
    raw.set_status(0x1F)
    raw.bar.write(0x3A, 2, 1)
    assert raw.bar.read(0x1C, 2) == 1


def test_a_packed_ring_survives_suspend_and_resume() -> None:
    raw = Raw("emulated:rng?latency=0.001")
    queue = bring_up(raw, SUSPEND_14, size=5)
    address, _ = raw.buffer(8)
    for _ in range(20):
        sent = [queue.publish((address, 8, WRITE)) for _ in range(3)]
        queue.kick()
        raw.set_status(0x1F)
        assert raw.until(lambda: raw.status() == 0x1B)
        before = bytes(queue.ring.memory)
        raw.clock.sleep(0.05)
        assert bytes(queue.ring.memory) == before
        raw.set_status(0x1F)
        assert raw.until(lambda: raw.status() == 0x0F)
        queue.kick()
        assert [identifier for identifier, _ in finish(raw, queue, 3)] == sent


def test_v16_on_a_packed_ring_loses_its_place() -> None:
    raw = Raw("emulated:rng?fault=V16")
    queue = bring_up(raw, SUSPEND_14)
    address, _ = raw.buffer(8)
    queue.publish((address, 8, WRITE))
    queue.kick()
    finish(raw, queue, 1)
    raw.set_status(0x1F)
    raw.set_status(0x1F)
    queue.publish((address, 8, WRITE))
    queue.kick()
    raw.clock.sleep(0.2)
    assert queue.used_entries() == []


def test_a_misaligned_ring_is_noted() -> None:
    raw = Raw("emulated:rng")
    raw.negotiate()
    queue = RawQueue(raw, 0, 16)
    raw.r16(0x18, select=0)
    raw.bar.write(0x20, 4, (queue.memory.address & 0xFFFFFFFF) + 8)
    raw.bar.write(0x1C, 2, 1)
    assert "not aligned" in raw.faults()[-1]


def test_a_descriptor_of_the_lap_before_that_was_passed_long_ago_does_not_interrupt() -> None:
    raw = Raw("emulated:rng?latency=0.001&depth=1")
    queue = bring_up(raw, EVENT_IDX, size=4)
    address, _ = raw.buffer(8)
    for _ in range(3):
        queue.publish((address, 8, WRITE))
    queue.kick()
    finish(raw, queue, 3)
    raw.isr()
    struct.pack_into("<HH", queue.driver.memory, 0, 2 | 1 << 15, 2)  # used already, in this lap
    queue.publish((address, 8, WRITE), (address, 8, WRITE))  # takes the last descriptor and the first of the next lap
    queue.kick()
    finish(raw, queue, 1)
    assert raw.isr() == 0


def test_in_order_gives_a_buffer_that_was_not_filled_an_entry_of_its_own() -> None:
    raw = Raw("emulated:rng?features=%2bIN_ORDER&latency=0.01&depth=4")
    queue = bring_up(raw, IN_ORDER)
    address, _ = raw.buffer(70000)  # more than this device gives at once
    sent = [queue.publish((address, size, WRITE)) for size in (8, 70000, 8)]
    queue.kick()
    raw.clock.sleep(0.1)
    assert queue.used_entries(in_order=True) == [(sent[1], 65536), (sent[2], 8)]
