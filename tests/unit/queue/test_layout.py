"""Where the parts of a queue lie, how they are written, and what becomes of them over a reset."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from uvirtio.access.clock import SimulatedClock
from uvirtio.access.trace import Published, Recorder
from uvirtio.errors import DriverMisuse

from .model import Memory, PackedDevice, SplitDevice
from .rig import FORMATS, queue_of


@pytest.mark.parametrize("size", [1, 2, 256, 32768])
def test_the_parts_of_a_split_queue_are_aligned_and_do_not_overlap(size: int) -> None:
    memory = Memory()
    memory.allocate(7, 1)  # whatever was allocated before
    queue = queue_of("split", size, memory)
    spans = [
        (queue.descriptor_address, 16 * size, 16),
        (queue.driver_address, 6 + 2 * size, 2),
        (queue.device_address, 6 + 8 * size, 4),
    ]
    for start, length, alignment in spans:
        assert start % alignment == 0
        assert bytes(memory.at(start, length)) == bytes(length)
    spans.sort()
    assert all(a + n <= b for (a, n, _), (b, _, _) in itertools.pairwise(spans))


@pytest.mark.parametrize("size", [2, 128, 256, 1024])
def test_a_legacy_queue_is_one_block_with_the_used_ring_on_the_next_page(size: int) -> None:
    queue = queue_of("split", size, Memory(), legacy=True)
    assert queue.descriptor_address % 4096 == 0
    assert queue.driver_address == queue.descriptor_address + 16 * size
    behind = queue.driver_address + 6 + 2 * size
    assert queue.device_address == -(-behind // 4096) * 4096


@pytest.mark.parametrize("size", [1, 3, 100, 32768])
def test_the_parts_of_a_packed_queue_are_aligned(size: int) -> None:
    memory = Memory()
    memory.allocate(7, 1)
    queue = queue_of("packed", size, memory)
    for start, length, alignment in (
        (queue.descriptor_address, 16 * size, 16),
        (queue.driver_address, 4, 4),
        (queue.device_address, 4, 4),
    ):
        assert start % alignment == 0
        assert bytes(memory.at(start, length)) == bytes(length)


@pytest.mark.parametrize(
    ("format_", "size"), [("split", 0), ("split", 3), ("split", 65536), ("packed", 0), ("packed", 32769)]
)
def test_a_size_that_the_format_does_not_have_is_refused(format_: str, size: int) -> None:
    with pytest.raises(DriverMisuse, match=f"{size} entries"):
        queue_of(format_, size, Memory())


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("size", [1, 4, 32768])
def test_a_queue_takes_as_many_buffers_as_it_has_entries(format_: str, size: int) -> None:
    memory = Memory()
    queue = queue_of(format_, size, memory)
    device: Any = (SplitDevice if format_ == "split" else PackedDevice)(memory, queue)
    part = memory.allocate(16)
    for _ in range(2):
        tokens = [queue.add((), [part]) for _ in range(size)]
        assert len(set(tokens)) == size
        assert queue.free == 0
        queue.publish(notify=False)
        for buffer in device.fetch():
            device.use(buffer, 16)
        assert queue.completed() == [(token, 16) for token in tokens]


@pytest.mark.parametrize("format_", FORMATS)
def test_nothing_is_visible_before_publish_and_everything_after_it(format_: str) -> None:
    memory = Memory()
    queue = queue_of(format_, 8, memory)
    device: Any = (SplitDevice if format_ == "split" else PackedDevice)(memory, queue)
    part = memory.allocate(16)
    queue.add([part], [part, part])
    queue.add([part], ())
    assert device.fetch() == []
    queue.publish(notify=False)
    assert [buffer.descriptors for buffer in device.fetch()] == [3, 1]


class LoggedView:
    """A view that logs stores by their place in memory, in the order in which they happen."""

    def __init__(self, view: memoryview, name: str, log: list[tuple[str, int, int]]) -> None:
        self._view, self._name, self._log = view, name, log

    def __getitem__(self, index: int) -> int:
        assert isinstance(index, int)
        return self._view[index]

    def __setitem__(self, index: int, value: int) -> None:
        assert isinstance(index, int), "an element store, not a slice"
        self._log.append((self._name, index, value))
        self._view[index] = value


def test_the_available_index_is_stored_once_after_everything_that_it_exposes() -> None:
    memory = Memory()
    queue = queue_of("split", 8, memory)
    log: list[tuple[str, int, int]] = []
    queue.table = LoggedView(queue.table, "table", log)
    queue.avail = LoggedView(queue.avail, "avail", log)
    part = memory.allocate(16)
    for _ in range(2):
        queue.add([part], [part])
    queue.publish(notify=False)
    stores = [(name, index) for name, index, _ in log]
    assert stores.count(("avail", 1)) == 1
    assert log[-1] == ("avail", 1, 2)
    assert len(log) == 2 * 2 * 2 + 2 + 1


def test_the_flags_of_the_first_packed_descriptor_are_stored_last() -> None:
    memory = Memory()
    queue = queue_of("packed", 8, memory)
    log: list[tuple[str, int, int]] = []
    queue.descriptors = LoggedView(queue.descriptors, "descriptors", log)
    part = memory.allocate(16)
    for _ in range(2):
        queue.add([part], [part])
    queue.publish(notify=False)
    indices = [index for _, index, _ in log]
    assert sorted(indices) == list(range(8)), "each word is stored once"
    assert indices[-1] == 1


@pytest.mark.parametrize("format_", FORMATS)
def test_the_fence_stands_between_exposing_and_looking_at_suppression(format_: str) -> None:
    memory = Memory()
    device: Any
    order: list[str] = []

    def fence() -> None:
        order.append(f"fence with {device.published()} visible")
        device.wants_notifications(False)  # what is stored here is seen by the decision that follows

    queue = queue_of(format_, 4, memory, fence=fence)
    device = (SplitDevice if format_ == "split" else PackedDevice)(memory, queue)
    queue.notifier = lambda _following: order.append("notified")
    queue.add([memory.allocate(8)], ())
    assert queue.publish() is False
    assert order == ["fence with 1 visible"]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_reset_queue_starts_over_and_names_what_was_in_flight(format_: str) -> None:
    memory = Memory()
    queue = queue_of(format_, 4, memory)
    queue.notifier = lambda _following: None
    fresh = queue.ring_bytes()
    part = memory.allocate(16)
    tokens = [queue.add([part], ()) for _ in range(3)]
    queue.publish()
    unpublished = queue.add([part], ())
    assert sorted(queue.reset()) == sorted([*tokens, unpublished])
    assert queue.ring_bytes() == fresh
    assert (queue.outstanding, queue.added, queue.free, queue.completed()) == (0, 0, 4, [])
    device: Any = (SplitDevice if format_ == "split" else PackedDevice)(memory, queue)
    again = queue.add([part], ())
    queue.publish()
    (buffer,) = device.fetch()
    device.use(buffer, 0)
    assert queue.completed() == [(again, 0)]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("indirect", [False, True])
def test_a_closed_queue_gives_all_its_memory_back(format_: str, indirect: bool) -> None:
    memory = Memory()
    memory.allocate(1)
    free = list(memory._free)  # in one piece
    queue = queue_of(format_, 32, memory, indirect=indirect)
    parts = [memory.allocate(8) for _ in range(12)]
    queue.add(parts[:2], ())
    queue.add(parts, ())
    queue.add(parts[:9], parts[9:])
    queue.reset()
    queue.add(parts, ())
    queue.close()
    for part in parts:
        part.free()
    memory._join()
    assert memory._free == free


@pytest.mark.parametrize("format_", FORMATS)
def test_publishes_are_recorded_with_what_was_exposed(format_: str) -> None:
    memory = Memory()
    recorder = Recorder(SimulatedClock())
    queue = queue_of(format_, 4, memory, recorder)
    queue.notifier = lambda _following: None
    part = memory.allocate(8)
    queue.publish()
    assert recorder.events == [], "publishing nothing is nothing"
    for count in (3, 1):
        for _ in range(count):
            queue.add([part], ())
        queue.publish()
    values = [(event.kind, event.queue, event.value) for event in recorder.events if isinstance(event, Published)]
    # Packed: after four descriptors the position is 0 again and the wrap counter has changed from 1 to 0.
    assert values == [
        ("publish", 0, 3 if format_ == "split" else 3 | 1 << 15),
        ("publish", 0, 4 if format_ == "split" else 0),
    ]


@pytest.mark.parametrize("format_", FORMATS)
def test_state_tells_what_the_device_has_used_before_the_driver_reaps(format_: str) -> None:
    memory = Memory()
    queue = queue_of(format_, 8, memory)
    queue.notifier = lambda _following: None
    device: Any = (SplitDevice if format_ == "split" else PackedDevice)(memory, queue)
    part = memory.allocate(8)
    for shape in ((1, 1), (1, 0), (0, 2)):
        queue.add([part] * shape[0], [part] * shape[1])
    queue.publish()
    buffers = device.fetch()
    device.use(buffers[2], 0)
    device.use(buffers[0], 0)
    state = queue.state()
    assert (state.format, state.in_flight, state.added) == (format_, 3, 0)
    if format_ == "split":
        assert (state.driver_index, state.device_index, state.seen) == (3, 2, 0)
    else:
        # Five descriptors are out; the used ones stand for 2 + 2 of them.
        assert (state.driver_index, state.device_index, state.seen) == (5 | 1 << 15, 4 | 1 << 15, 1 << 15)
    assert not state.interrupts_suppressed
    queue.interrupts(False)
    device.wants_notifications(False)
    state = queue.state()
    assert state.interrupts_suppressed
    assert state.notifications_suppressed
