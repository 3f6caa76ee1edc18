"""Views, the recorder, the simulated clock, DMA arenas, the ISR owner."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uvirtio.access.clock import SimulatedClock
from uvirtio.access.dma import Arena, Dma
from uvirtio.access.interrupt import NoLine
from uvirtio.access.notifications import Notifications
from uvirtio.access.trace import Access, Published, Recorder
from uvirtio.access.view import Region
from uvirtio.errors import CannotRun, DeviceMisbehaved
from uvirtio.spec.registers import COMMON


class Bus:
    """Counts what reaches it."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int, int, int]] = []

    def read(self, offset: int, width: int) -> int:
        self.log.append(("read", offset, width, 0))
        return offset

    def write(self, offset: int, width: int, value: int) -> None:
        self.log.append(("write", offset, width, value))


def test_one_element_access_is_one_bus_access_of_that_width() -> None:
    bus = Bus()
    region = Region.calls(bus.read, bus.write, 0x100).window(0x20, 0x40)
    assert region.u32[2] == 0x28
    region.u8[0x14] = 0xF
    region.u16[0x16 // 2] = 3
    assert bus.log == [("read", 0x28, 4, 0), ("write", 0x34, 1, 0xF), ("write", 0x36, 2, 3)]


@pytest.mark.parametrize(("offset", "length"), [(0x90, 0x80), (-4, 4), (0x101, 0)])
def test_a_window_outside_of_its_region_is_refused(offset: int, length: int) -> None:
    with pytest.raises(DeviceMisbehaved, match="do not fit"):
        Region.calls(Bus().read, Bus().write, 0x100).window(offset, length)


def test_the_views_of_mapped_memory_share_it() -> None:
    memory = bytearray(16)
    region = Region.mapped(memoryview(memory)).window(4, 7)
    region.u32[0] = 0x11223344
    assert region.u16[1] == 0x1122
    assert region.u8[0] == 0x44
    assert memory[4] == 0x44
    with pytest.raises(IndexError):
        _ = region.u32[1]


def test_the_recorder_names_registers_and_tags_deviations() -> None:
    recorder = Recorder(SimulatedClock())
    traced = recorder.region(Region.calls(Bus().read, Bus().write, 0x100), "common", COMMON)
    traced.u8[0x14] = 0x1F
    with recorder.deviating("D4", "to see whether it listens"):
        traced.window(0x10, 0x10).u16[3] = 5
    assert traced.u8[0x15] == 0x15
    first, second, third = (event for event in recorder.events if isinstance(event, Access))
    assert (first.kind, first.name, first.value, first.deviation) == ("write", "device_status", 0x1F, "")
    assert (second.name, second.offset, second.deviation) == ("queue_select", 0x16, "D4: to see whether it listens")
    assert (third.kind, third.name) == ("read", "config_generation")


def test_the_recorder_drops_the_oldest_records_and_positions_stay_right() -> None:
    recorder = Recorder(SimulatedClock(), limit=10)
    for number in range(25):
        recorder.published(0, "q", number)
    position = recorder.mark("here")
    recorder.published(0, "q", 99)
    assert [event.value for event in recorder.since(position) if isinstance(event, Published)] == [99]
    assert len(recorder.events) <= 10


def test_events_run_in_order_of_time_and_sleeping_advances_to_them() -> None:
    clock = SimulatedClock()
    seen: list[tuple[str, float]] = []
    clock.call_at(2.0, lambda: seen.append(("b", clock.now())))
    clock.call_at(
        1.0, lambda: (seen.append(("a", clock.now())), clock.call_at(1.5, lambda: seen.append(("c", clock.now()))))[0]
    )
    cancelled = clock.call_at(1.2, lambda: seen.append(("never", 0.0)))
    cancelled.cancel()
    clock.sleep(3.0)
    assert seen == [("a", 1.0), ("c", 1.5), ("b", 2.0)]
    assert clock.now() == 3.0


class Chunks(Arena):
    """Chunks of 64 KiB at far apart addresses, at most three."""

    def __init__(self) -> None:
        super().__init__()
        self.grown = 0

    def grow(self, size: int) -> tuple[memoryview, int]:
        self.grown += 1
        if self.grown > 3 or size > 65536:
            raise CannotRun("no more memory")
        return memoryview(bytearray(65536)), 0x1_0000_1000 * self.grown


@given(st.lists(st.tuples(st.integers(1, 9000), st.sampled_from([1, 16, 64, 4096]), st.booleans()), max_size=40))
def test_allocations_are_aligned_zeroed_and_never_overlap(plan: list[tuple[int, int, bool]]) -> None:
    arena = Chunks()
    held: list[Dma] = []
    for size, alignment, free_one in plan:
        if free_one and held:
            held.pop(0).free()
        try:
            piece = arena.allocate(size, alignment)
        except CannotRun:
            continue
        assert piece.address % alignment == 0
        assert bytes(piece.memory) == bytes(size)
        piece.memory[:] = b"\xff" * size
        held.append(piece)
    for one, other in itertools.combinations(held, 2):
        assert one.address + one.size <= other.address or other.address + other.size <= one.address


def test_freed_memory_is_joined_and_used_again() -> None:
    arena = Chunks()
    pieces = [arena.allocate(16000, 16) for _ in range(4)]
    for piece in pieces:
        piece.free()
    arena.allocate(64000, 16)
    assert arena.grown == 1


def test_the_owner_of_isr_counts_a_queue_interrupt_only_where_the_configuration_bit_is_clear() -> None:
    values = iter([0, 1, 3, 2, 0xFF, 1])
    owner = Notifications(
        Region.calls(lambda _offset, _width: next(values), Bus().write, 1).u8, NoLine(SimulatedClock(), "test")
    )
    assert [owner.collect() for _ in range(6)] == [0, 1, 3, 2, 0, 1]
    assert (owner.used, owner.config, owner.both) == (2, 2, 1)


def test_waiting_without_an_interrupt_line_passes_time_in_polling_steps() -> None:
    clock = SimulatedClock()
    owner = Notifications(Region.calls(lambda _offset, _width: 0, Bus().write, 1).u8, NoLine(clock, "test"))
    assert owner.wait(5.0) == 0
    assert 0 < clock.now() < 0.1
