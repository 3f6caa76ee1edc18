"""Pools: batches go out and come back as single buffers would, and a lying device fares no better."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uvirtio.access.clock import SimulatedClock
from uvirtio.access.trace import Added, Published, Recorder
from uvirtio.errors import DeviceMisbehaved, DriverMisuse, QueueFull, SuspendedError

from .model import AVAIL, USED, Buffer, Memory, PackedDevice, SplitDevice
from .rig import FORMATS, queue_of


class PoolRig:
    """A pool with a device model behind it, and a reference: which buffers are where."""

    def __init__(
        self,
        format_: str,
        size: int,
        count: int,
        readable: tuple[int, ...],
        writable: tuple[int, ...],
        recorder: Recorder | None = None,
        **features: bool,
    ) -> None:
        self.memory = Memory()
        self.format = format_
        self.in_order = features.get("in_order", False)
        self.queue = queue_of(format_, size, self.memory, recorder, **features)
        self.device: Any = (SplitDevice if format_ == "split" else PackedDevice)(
            self.memory, self.queue, event_idx=features.get("event_idx", False), in_order=self.in_order
        )
        self.kicks: list[int] = []
        self.queue.notifier = self.kicks.append
        self.pool = self.queue.pool(count, readable, writable)
        self.free = count
        self.held: list[Buffer] = []
        self.done: list[tuple[int, int]] = []

    def publish(self, count: int) -> None:
        if count > self.free:
            with pytest.raises(QueueFull, match=f"{count} buffers are to be published and {self.free} of"):
                self.pool.publish(count)
            return
        upcoming = self.pool.upcoming(count)
        assert len(set(upcoming)) == count
        self.pool.publish(count)
        found = self.device.fetch()
        assert [buffer.id for buffer in found] == upcoming
        split_at = self.pool.readable
        for buffer in found:
            parts = [(self.pool.address(part, buffer.id), size) for part, size in enumerate(self.pool.parts)]
            assert buffer.readable == parts[:split_at]
            assert buffer.writable == parts[split_at:]
            for part, (address, size) in enumerate(parts):
                self.memory.at(address, size)[0] = buffer.id
                assert self.pool.views[part][buffer.id][0] == buffer.id, "view and address are the same memory"
                self.memory.at(address, size)[0] = 0
        self.free -= count
        self.held += found

    def use(self, which: int, part: int) -> None:
        if not self.held:
            return
        which %= len(self.held)
        if self.in_order:
            batch, self.held = self.held[: which + 1], self.held[which + 1 :]
        else:
            batch = [self.held.pop(which)]
        length = self.pool.capacity * part // 4
        self.done += [(buffer.id, self.pool.capacity) for buffer in batch[:-1]] + [(batch[-1].id, length)]
        if len(batch) > 1:
            self.device.use_batch(batch, length)
        else:
            self.device.use(batch[0], length)

    def reap(self) -> None:
        count = self.pool.reap()
        reaped = list(zip(self.pool.numbers[:count], self.pool.lengths[:count], strict=True))
        assert reaped == self.done
        self.free += count
        self.done = []

    def check(self) -> None:
        assert self.pool.free == self.free
        assert self.queue.outstanding == self.pool.count - self.free
        in_flight = [number for number, _ in self.done] + [buffer.id for buffer in self.held]
        assert sorted(self.queue.tokens()) == sorted(in_flight)
        state = self.queue.state()
        assert (state.device_index != state.seen) == bool(self.done)

    def run(self, operations: list[tuple[Any, ...]]) -> None:
        for name, *arguments in operations:
            getattr(self, name)(*arguments)
            self.check()
        while self.held:
            self.use(0, 4)
        self.reap()
        self.check()
        assert self.free == self.pool.count


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 6)),
        st.tuples(st.just("publish"), st.integers(1, 3)),
        st.tuples(st.just("use"), st.integers(0, 7), st.integers(0, 4)),
        st.tuples(st.just("use"), st.just(0), st.just(4)),
        st.tuples(st.just("use"), st.just(0), st.just(4)),
        st.just(("reap",)),
    ),
    max_size=60,
)
#: (entries of a split queue, of a packed one, buffers, readable parts, writable parts); chains wrap around a packed ring.
SHAPES = [
    (8, 8, 8, (), (64,)),
    (8, 7, 5, (40,), ()),
    (16, 13, 4, (16,), (48, 1)),
    (2, 2, 2, (), (8,)),
    (1, 1, 1, (), (8,)),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("event_idx", [False, True], ids=["flags", "event index"])
@pytest.mark.parametrize("indirect", [False, True], ids=["direct", "indirect"])
@pytest.mark.parametrize("format_", FORMATS)
@given(operations=OPERATIONS)
@settings(max_examples=25, deadline=None)
def test_a_pool_gives_back_what_the_device_used_in_any_order(
    format_: str, indirect: bool, event_idx: bool, shape: Any, operations: list[tuple[Any, ...]]
) -> None:
    split_size, packed_size, count, readable, writable = shape
    size = split_size if format_ == "split" else packed_size
    PoolRig(format_, size, count, readable, writable, indirect=indirect, event_idx=event_idx).run(operations)


@pytest.mark.parametrize("parts", [((), (64,)), ((16,), (48, 1))], ids=["one part", "three parts"])
@pytest.mark.parametrize("format_", FORMATS)
@given(operations=OPERATIONS)
@settings(max_examples=60, deadline=None)
def test_in_order_one_entry_stands_for_a_batch(format_: str, parts: Any, operations: list[tuple[Any, ...]]) -> None:
    PoolRig(format_, 8, 8, *parts, indirect=True, in_order=True).run(operations)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_pool_survives_many_laps_of_ring_and_indices(format_: str) -> None:
    rig = PoolRig(format_, 8, 8, (), (64,))
    for lap in range(70000 // 7):
        rig.publish(7)
        if lap % 50 == 0:
            rig.use(3, 2)
            rig.use(5, 1)
        while rig.held:
            rig.use(0, 4)
        rig.reap()


@pytest.mark.parametrize("format_", FORMATS)
def test_a_batch_is_visible_all_at_once_with_one_notification(format_: str) -> None:
    recorder = Recorder(SimulatedClock())
    rig = PoolRig(format_, 8, 8, (), (64,), recorder=recorder)
    assert rig.pool.publish(5) is True
    assert len(rig.kicks) == 1
    assert [event.token for event in recorder.events if isinstance(event, Added)] == [0, 1, 2, 3, 4]
    assert len([event for event in recorder.events if isinstance(event, Published)]) == 1
    assert len(rig.device.fetch()) == 5
    rig.device.wants_notifications(False)
    assert rig.pool.publish(2) is False
    assert len(rig.kicks) == 1


def claims(rig: PoolRig, id_: int, length: int = 64) -> None:
    rig.device.entry(id_, length)
    if rig.format == "split":
        rig.device.show()
    else:
        rig.device.skip(1)


def refuses(rig: PoolRig, words: str, in_flight: int) -> None:
    for _ in range(2):
        with pytest.raises(DeviceMisbehaved, match=words):
            rig.pool.reap()
        assert rig.queue.outstanding == in_flight


@pytest.mark.parametrize("before", [0, 2], ids=["first", "in the middle of a batch"])
@pytest.mark.parametrize(
    ("id_", "length", "words"),
    [
        (8, 64, "ids of this queue are below its size 8"),
        (6, 64, "says id 6, which is not in flight"),
        (7, 64, "says id 7, which is not in flight"),
        (0xFFFF, 64, "ids of this queue are below its size 8"),
        (5, 65, "wrote 65 bytes into buffer 5, which has 64 writable bytes"),
        (0, 64, "says id 0, which is not in flight"),
    ],
    ids=["out of range", "the next one to be published", "never published", "all ones", "too long", "used before"],
)
@pytest.mark.parametrize("format_", FORMATS)
def test_a_lie_is_named_after_the_good_buffers_before_it(
    format_: str, id_: int, length: int, words: str, before: int
) -> None:
    rig = PoolRig(format_, 8, 8, (), (64,))
    rig.publish(6)
    rig.use(0, 4)
    rig.reap()
    for _ in range(before):
        rig.use(0, 4)
    claims(rig, id_, length)
    if before:
        rig.reap()
    refuses(rig, words, 5 - before)


@pytest.mark.parametrize("format_", FORMATS)
def test_an_id_that_comes_twice_in_one_batch_is_handed_out_once(format_: str) -> None:
    rig = PoolRig(format_, 8, 8, (), (64,))
    rig.publish(4)
    for id_ in (2, 0, 2):
        claims(rig, id_)
    assert rig.pool.completed() == [(2, 64), (0, 64)]
    refuses(rig, "says id 2, which is not in flight", 2)
    assert sorted(rig.pool.tokens()) == [1, 3]


def test_a_used_index_that_jumps_is_named() -> None:
    rig = PoolRig("split", 8, 8, (), (64,))
    rig.publish(3)
    rig.device.show(4)
    refuses(rig, "4 entries further, but only 3 buffers are in flight", 3)


@pytest.mark.parametrize(("format_", "indirect"), [("split", False), ("split", True), ("packed", True)])
def test_overwritten_descriptors_are_named_within_one_round(format_: str, indirect: bool) -> None:
    # A packed ring itself is written anew with every batch: nothing stays there to be overwritten.
    rig = PoolRig(format_, 32, 8, (16,), (48,), indirect=indirect)
    rig.publish(4)
    table = rig.queue.descriptor_address
    if indirect:
        table = rig.memory.load(rig.queue.descriptor_address, 8)
    rig.memory.store(table + 8, 4, 4096)
    with pytest.raises(DeviceMisbehaved, match="descriptor 0 of the pool is not what the driver wrote"):
        rig.pool.verify()
    for _ in range(4):
        rig.use(0, 0)
    with pytest.raises(DeviceMisbehaved, match="not what the driver wrote"):
        rig.pool.reap()


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("format_", FORMATS)
def test_overwritten_descriptors_are_named_also_where_no_batch_ends_with_the_last_buffer(
    format_: str, in_order: bool
) -> None:
    rig = PoolRig(format_, 8, 8, (16,), (32,), indirect=True, in_order=in_order)
    for count in (3, 8):
        rig.publish(count)
        rig.use(count - 1, 4)
        while rig.held:
            rig.use(0, 4)
        rig.reap()
    rig.pool._tables.memory[5] ^= 1
    rig.pool.publish(8)
    held = rig.device.fetch()
    if in_order:
        rig.device.use_batch(held, 32)
    else:
        for buffer in held:
            rig.device.use(buffer, 32)
    with pytest.raises(DeviceMisbehaved, match="indirect descriptor 0 of the pool is not what the driver wrote"):
        rig.pool.reap()


@pytest.mark.parametrize("flags", [0, USED, USED | 2], ids=["of the last lap", "mixed", "mixed and written"])
def test_packed_flags_that_are_neither_available_nor_used_are_named(flags: int) -> None:
    rig = PoolRig("packed", 8, 8, (), (64,))
    rig.publish(3)
    rig.device.entry(0, 64, flags)
    refuses(rig, "neither available nor used", 3)


def test_a_packed_descriptor_that_is_used_before_its_turn_waits_for_it() -> None:
    rig = PoolRig("packed", 8, 8, (), (64,))
    rig.publish(4)
    claims(rig, 0)
    position = rig.device.next_used
    rig.device.next_used = (3, 1)
    claims(rig, 3)
    assert rig.pool.completed() == [(0, 64)]
    assert rig.pool.completed() == []
    rig.device.next_used = position
    claims(rig, 1)
    claims(rig, 2)
    assert rig.pool.completed() == [(1, 64), (2, 64), (3, 64)]


def test_packed_flags_that_flip_back_while_the_driver_looks_hand_out_nothing() -> None:
    rig = PoolRig("packed", 8, 8, (), (64,))
    rig.publish(2)
    claims(rig, 0)
    claims(rig, 1)
    look = rig.pool._used
    at = rig.queue.descriptor_address + 14

    def flips(ahead: int) -> bool:
        seen = look(ahead)
        rig.memory.store(at, 2, AVAIL | 2)
        return seen

    rig.pool._used = flips
    assert rig.pool.reap() == 0
    assert rig.queue.outstanding == 2
    rig.pool._used = look
    rig.memory.store(at, 2, AVAIL | USED | 2)
    assert rig.pool.completed() == [(0, 64), (1, 64)]


def test_a_packed_length_without_the_write_flag_is_none() -> None:
    rig = PoolRig("packed", 8, 8, (), (64,))
    rig.publish(2)
    rig.device.entry(0, 0xFFFF, AVAIL | USED)
    rig.device.skip(1)
    claims(rig, 1, 5)
    assert rig.pool.completed() == [(0, 0), (1, 5)]


@pytest.mark.parametrize("in_order", [False, True], ids=["any order", "in order"])
@pytest.mark.parametrize("indirect", [False, True], ids=["direct", "indirect"])
@given(operations=OPERATIONS)
@settings(max_examples=60, deadline=None)
def test_a_pool_takes_the_lengths_of_a_device_that_never_sets_the_write_flag(
    indirect: bool, in_order: bool, operations: list[tuple[Any, ...]]
) -> None:
    rig = PoolRig("packed", 13, 4, (16,), (48, 1), indirect=indirect, in_order=in_order)
    rig.device.sets_write = False
    rig.run(operations)


def test_without_the_write_flag_a_pool_is_as_fast_and_as_strict() -> None:
    rig = PoolRig("packed", 8, 8, (), (64,))
    rig.device.sets_write = False
    looked_at: list[int] = []
    closely = rig.pool._in_flight
    rig.pool._in_flight = lambda *words: looked_at.append(words[2]) or closely(*words)
    for _ in range(12):
        rig.publish(4)
        while rig.held:
            rig.use(0, 4)
        rig.reap()
    assert sum(looked_at) <= 8, "each batch was still looked at buffer by buffer"
    assert rig.queue.flagless
    rig.queue.reset()
    assert not rig.queue.flagless
    rig = PoolRig("packed", 8, 8, (), (64,))
    rig.device.sets_write = False
    rig.publish(4)
    claims(rig, 0)
    claims(rig, 0)
    rig.done = [(0, 64)]
    rig.held.pop(0)
    rig.reap()
    refuses(rig, "says id 0, which is not in flight", 3)


@pytest.mark.parametrize("format_", FORMATS)
def test_in_order_a_pool_names_what_is_out_of_turn(format_: str) -> None:
    rig = PoolRig(format_, 8, 8, (), (64,), in_order=True)
    rig.publish(4)
    claims(rig, 2)
    if format_ == "split":
        refuses(rig, "IN_ORDER was negotiated and the buffers whose turn it is are 0, 1, 2, 3", 4)
    else:
        assert rig.pool.completed() == [(0, 64), (1, 64), (2, 64)]


def test_in_order_a_split_pool_that_cannot_use_descriptors_in_ring_order_is_refused() -> None:
    memory = Memory()
    queue = queue_of("split", 8, memory, in_order=True)
    for count, writable in ((4, (64,)), (4, (64, 64))):
        with pytest.raises(DriverMisuse, match="IN_ORDER uses descriptors in ring order"):
            queue.pool(count, (), writable)
    queue.pool(8, (), (64,))


@pytest.mark.parametrize("format_", FORMATS)
def test_a_legacy_length_is_cut_and_a_modern_one_is_refused(format_: str) -> None:
    rig = PoolRig(format_, 8, 8, (16,), (), **({"legacy": True} if format_ == "split" else {}))
    rig.publish(2)
    claims(rig, 0, 80)
    if format_ == "split":
        assert rig.pool.completed() == [(0, 0)]
    else:
        refuses(rig, "wrote 80 bytes into buffer 0, which has 0 writable bytes", 2)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_held_queue_publishes_no_batch(format_: str) -> None:
    rig = PoolRig(format_, 8, 8, (), (64,))
    rig.publish(1)
    before = rig.queue.ring_bytes()
    rig.queue.hold("suspended")
    with pytest.raises(SuspendedError, match="D3"):
        rig.pool.publish(1)
    rig.queue.allow = {"D3"}
    with pytest.raises(SuspendedError, match="D4"):
        rig.pool.publish(1)
    assert rig.queue.ring_bytes() == before
    assert rig.pool.publish(1, notify=False) is False
    assert len(rig.device.fetch()) == 1
    claims(rig, 0)
    assert rig.pool.completed() == [(0, 64)]


@pytest.mark.parametrize("in_order", [False, True], ids=["any order", "in order"])
@pytest.mark.parametrize("format_", FORMATS)
def test_a_pool_takes_the_whole_queue_and_gives_it_back(format_: str, in_order: bool) -> None:
    rig = PoolRig(format_, 8, 8, (), (64,), in_order=in_order)
    part = rig.memory.allocate(8)
    with pytest.raises(QueueFull, match="all descriptors belong to a pool"):
        rig.queue.add((), [part])
    with pytest.raises(DriverMisuse, match="a pool takes the whole queue, and it is in use"):
        rig.queue.pool(1, (), (8,))
    rig.publish(3)
    with pytest.raises(DriverMisuse, match="3 buffers of the pool are in flight"):
        rig.pool.close()
    while rig.held:
        rig.use(0, 4)
    assert rig.queue.completed() == rig.done, "the queue answers for its pool"
    rig.pool.close()
    assert rig.queue.free == 8
    for _ in range(20):
        token = rig.queue.add((), [part])
        rig.queue.publish()
        (buffer,) = rig.device.fetch()
        rig.device.use(buffer, 8)
        assert rig.queue.completed() == [(token, 8)]
    rig.queue.pool(8, (), (16,)).publish(2)
    assert [buffer.room for buffer in rig.device.fetch()] == [16, 16]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_reset_queue_has_its_pool_ready_again(format_: str) -> None:
    rig = PoolRig(format_, 8, 4, (16,), (32,))
    rig.publish(3)
    rig.use(1, 4)
    rig.reap()
    assert sorted(rig.queue.reset()) == [0, 2]
    again: Any = (SplitDevice if format_ == "split" else PackedDevice)(rig.memory, rig.queue)
    rig.device, rig.held, rig.free = again, [], 4
    rig.publish(4)
    while rig.held:
        rig.use(len(rig.held) - 1, 4)
    rig.reap()


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(("count", "parts"), [(0, ((), (8,))), (9, ((), (8,))), (5, ((8,), (8,))), (1, ((), ()))])
def test_a_pool_that_does_not_fit_is_refused(format_: str, count: int, parts: Any) -> None:
    queue = queue_of(format_, 8, Memory())
    with pytest.raises(DriverMisuse, match=f"{count} buffers of"):
        queue.pool(count, *parts)


@pytest.mark.parametrize("indirect", [False, True])
@pytest.mark.parametrize("format_", FORMATS)
def test_a_closed_queue_gives_back_what_its_pool_had(format_: str, indirect: bool) -> None:
    memory = Memory()
    memory.allocate(1)
    free = list(memory._free)
    queue = queue_of(format_, 8, memory, indirect=indirect)
    queue.pool(4, (16,), (100,))
    queue.close()
    memory._join()
    assert memory._free == free
