"""A device that says impossible things gets a named error, and no buffer is handed out for it."""

from __future__ import annotations

import pytest

from uvirtio.access.dma import Dma
from uvirtio.errors import DeviceMisbehaved, DriverMisuse, QueueFull, SuspendedError

from .model import AVAIL, USED, Memory, PackedDevice, SplitDevice
from .rig import FORMATS, queue_of


class Bench:
    """A queue with ``count`` published buffers of 64 writable bytes, fetched by the device."""

    def __init__(self, format_: str, count: int, size: int = 8, **features: bool) -> None:
        self.memory = Memory()
        self.queue = queue_of(format_, size, self.memory, **features)
        self.queue.notifier = lambda _following: None
        self.device = (SplitDevice if format_ == "split" else PackedDevice)(self.memory, self.queue)
        self.tokens = [self.queue.add((), [self.memory.allocate(64)]) for _ in range(count)]
        self.queue.publish()
        self.buffers = self.device.fetch()

    def claims(self, id_: int, length: int = 64) -> None:
        """The device says that it has used this id."""
        self.device.entry(id_, length)
        if isinstance(self.device, SplitDevice):
            self.device.show()
        else:
            self.device.skip(1)

    def refuses(self, words: str, in_flight: int) -> None:
        for _ in range(2):
            with pytest.raises(DeviceMisbehaved, match=words) as raised:
                self.queue.completed()
            assert "queue 0" in str(raised.value)
            assert self.queue.outstanding == in_flight


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("id_", [8, 9, 0xFFFF])
def test_an_id_out_of_range_is_named(format_: str, id_: int) -> None:
    bench = Bench(format_, 2)
    bench.claims(id_)
    bench.refuses(r"says id 0x\w+; ids of this queue are below its size 8", 2)


def test_a_used_id_is_read_with_all_its_32_bits() -> None:
    bench = Bench("split", 2)
    bench.claims(0x1_0000)
    bench.refuses("says id 0x10000", 2)


@pytest.mark.parametrize("format_", FORMATS)
def test_an_id_that_is_not_in_flight_is_named(format_: str) -> None:
    bench = Bench(format_, 2)
    bench.claims(5)
    bench.refuses("says id 5, which is not in flight", 2)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_buffer_that_was_added_but_not_published_is_not_in_flight(format_: str) -> None:
    bench = Bench(format_, 1)
    waiting = bench.queue.add((), [bench.memory.allocate(64)])
    bench.claims(waiting)
    bench.refuses(f"says id {waiting}, which is not in flight", 1)


@pytest.mark.parametrize("format_", FORMATS)
def test_an_id_that_comes_twice_is_handed_out_once(format_: str) -> None:
    bench = Bench(format_, 3)
    bench.claims(1)
    bench.claims(1)
    assert bench.queue.completed() == [(1, 64)]
    bench.refuses("says id 1, which is not in flight", 2)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_length_beyond_the_buffer_is_named(format_: str) -> None:
    bench = Bench(format_, 1)
    bench.claims(0, 65)
    bench.refuses("wrote 65 bytes into buffer 0, which has 64 writable bytes", 1)


@pytest.mark.parametrize("format_", FORMATS)
def test_the_good_buffers_before_a_bad_one_are_handed_out_first(format_: str) -> None:
    bench = Bench(format_, 3)
    bench.claims(2, 10)
    bench.claims(0, 20)
    bench.claims(1, 99)
    assert bench.queue.completed() == [(2, 10), (0, 20)]
    bench.refuses("wrote 99 bytes into buffer 1", 1)


@pytest.mark.parametrize("jump", [3, 8, 9, 0x8000, 0xFFFF])
def test_a_used_index_that_jumps_further_than_what_is_in_flight_is_named(jump: int) -> None:
    bench = Bench("split", 2)
    bench.device.entry(0, 64)
    bench.device.show(jump)
    bench.refuses(f"went from 0 to {jump}, {jump} entries further, but only 2 buffers are in flight", 2)


def test_a_used_index_that_goes_backwards_is_a_jump() -> None:
    bench = Bench("split", 2)
    bench.claims(0)
    assert bench.queue.completed() == [(0, 64)]
    bench.device.show(-1)
    bench.refuses("went from 1 to 0, 65535 entries further", 1)


@pytest.mark.parametrize(
    "flags", [0, USED, USED | 1], ids=["of the last lap", "the driver's own of the other lap", "mixed"]
)
def test_packed_flags_that_are_neither_available_nor_used_are_named(flags: int) -> None:
    bench = Bench("packed", 1)
    bench.device.entry(0, 64, flags)
    bench.refuses("neither available nor used", 1)


def test_a_packed_descriptor_whose_flags_flip_back_is_not_handed_out_again() -> None:
    bench = Bench("packed", 2, size=2)
    bench.claims(0)
    assert bench.queue.completed() == [(0, 64)]
    # The device makes the one that it has given back look available again, then used again; it is the driver's.
    bench.memory.store(bench.queue.descriptor_address + 14, 2, AVAIL | 2)
    assert bench.queue.completed() == []
    bench.memory.store(bench.queue.descriptor_address + 14, 2, AVAIL | USED | 2)
    assert bench.queue.completed() == []
    assert bench.queue.outstanding == 1
    # The one that is due says used, and takes it back before the driver looks: it is in flight, no more.
    bench.device.entry(1, 64)
    bench.device.entry(1, 64, AVAIL | 2)
    assert bench.queue.completed() == []
    assert bench.queue.tokens() == [1]
    # Taken back to the state before the driver published it: that it never was.
    bench.device.entry(1, 64, 0)
    bench.refuses("neither available nor used", 1)


@pytest.mark.parametrize("offset", [0, 8, 12, 14], ids=["address", "length", "flags", "next"])
def test_an_overwritten_descriptor_is_named(offset: int) -> None:
    bench = Bench("split", 2)
    at = bench.queue.descriptor_address + 16 * 1 + offset
    bench.memory.store(at, 2, bench.memory.load(at, 2) ^ 0x40)
    bench.claims(0)
    bench.claims(1)
    assert bench.queue.completed() == [(0, 64)]
    bench.refuses("descriptor 1 of buffer 1 is not what the driver wrote", 1)


def test_an_overwritten_descriptor_inside_a_chain_or_an_indirect_table_is_named() -> None:
    for indirect in (False, True):
        bench = Bench("split", 0, indirect=indirect)
        parts = [bench.memory.allocate(16) for _ in range(3)]
        bench.queue.add(parts[:1], parts[1:])
        bench.queue.publish()
        table = bench.memory.load(bench.queue.descriptor_address, 8) if indirect else bench.queue.descriptor_address
        bench.memory.store(table + 2 * 16 + 8, 4, 4096)
        bench.claims(0, 0)
        bench.refuses("descriptor 2 of buffer 0 is not what the driver wrote", 1)


def test_descriptors_that_the_device_overwrites_do_not_mislead_the_driver_about_the_next_buffer() -> None:
    bench = Bench("packed", 2, size=2)
    for descriptor in (0, 1):
        bench.memory.store(bench.queue.descriptor_address + 16 * descriptor, 8, 0xDEAD_BEEF)
    bench.claims(1)
    bench.claims(0)
    assert bench.queue.completed() == [(1, 64), (0, 64)]
    part = bench.memory.allocate(64)
    bench.queue.add((), [part])
    bench.queue.publish()
    (found,) = bench.device.fetch()
    assert found.writable == [(part.address, 64)]


def test_a_packed_length_counts_only_with_the_write_flag() -> None:
    bench = Bench("packed", 1)
    bench.device.entry(0, 0xFFFF_FFFF, AVAIL | USED)
    assert bench.queue.completed() == [(0, 0)]


def test_a_legacy_length_that_is_too_long_is_cut() -> None:
    bench = Bench("split", 1, legacy=True)
    bench.claims(0, 4096)
    assert bench.queue.completed() == [(0, 64)]


@pytest.mark.parametrize("format_", FORMATS)
def test_in_order_a_buffer_out_of_turn_is_named_or_stands_for_those_before_it(format_: str) -> None:
    bench = Bench(format_, 4, in_order=True)
    bench.claims(2)
    if format_ == "split":
        # The index says that one entry was used, so it cannot be the third buffer.
        bench.refuses("IN_ORDER was negotiated and the buffers whose turn it is are 0", 4)
    else:
        assert [token for token, _ in bench.queue.completed()] == [0, 1, 2]


@pytest.mark.parametrize("format_", FORMATS)
def test_in_order_a_bad_batch_is_not_handed_out_in_part(format_: str) -> None:
    bench = Bench(format_, 4, in_order=True)
    bench.device.use_batch(bench.buffers[:3], 65)
    bench.refuses("wrote 65 bytes into buffer 2", 4)


@pytest.mark.parametrize("format_", FORMATS)
def test_in_order_an_id_that_was_used_before_is_named(format_: str) -> None:
    bench = Bench(format_, 4, in_order=True)
    bench.claims(0)
    assert bench.queue.completed() == [(0, 64)]
    bench.claims(0)
    bench.refuses("says id 0, which is not in flight", 3)


@pytest.mark.parametrize("format_", FORMATS)
def test_while_held_nothing_is_added_published_or_notified(format_: str) -> None:
    bench = Bench(format_, 1)
    kicks: list[int] = []
    bench.queue.notifier = kicks.append
    before = bench.queue.ring_bytes()
    bench.queue.hold("status 0x1b: suspended")
    for call, duty in (
        (lambda: bench.queue.add((), [bench.memory.allocate(8)]), "D3"),
        (lambda: bench.queue.publish(), "D3"),
        (lambda: bench.queue.publish(notify=False), "D3"),
        (bench.queue.kick, "D4"),
    ):
        with pytest.raises(SuspendedError, match=rf"status 0x1b: suspended.*\({duty}\)"):
            call()
    assert bench.queue.ring_bytes() == before
    assert kicks == []
    bench.claims(0)
    assert bench.queue.completed() == [(0, 64)], "reaping is allowed: it makes nothing available"
    bench.queue.unhold()
    bench.queue.kick()
    assert len(kicks) == 1


@pytest.mark.parametrize("format_", FORMATS)
def test_a_deviation_lifts_exactly_one_duty(format_: str) -> None:
    bench = Bench(format_, 1)
    kicks: list[int] = []
    bench.queue.notifier = kicks.append
    bench.queue.hold("suspended")
    bench.queue.allow = {"D3"}
    bench.queue.add((), [bench.memory.allocate(8)])
    with pytest.raises(SuspendedError, match="D4"):
        bench.queue.publish()
    assert bench.device.published() == 0
    assert bench.queue.publish(notify=False) is False
    assert bench.device.published() == 1
    with pytest.raises(SuspendedError, match="D4"):
        bench.queue.kick()
    bench.queue.allow = {"D4"}
    bench.queue.kick()
    assert len(kicks) == 1
    with pytest.raises(SuspendedError, match="D3"):
        bench.queue.add((), [bench.memory.allocate(8)])


@pytest.mark.parametrize("format_", FORMATS)
def test_what_a_ring_cannot_describe_is_refused_before_anything_is_written(format_: str) -> None:
    bench = Bench(format_, 0, size=4)
    before = bench.queue.ring_bytes()
    part = bench.memory.allocate(16)
    with pytest.raises(DriverMisuse, match="at least one part"):
        bench.queue.add((), ())
    with pytest.raises(DriverMisuse, match="5 parts is longer than the queue size 4"):
        bench.queue.add([part] * 2, [part] * 3)
    with pytest.raises(DriverMisuse, match="a part of a buffer is empty"):
        bench.queue.add([part.part(0, 0)], ())
    huge = Dma(None, part.memory, part.address, part.offset)
    huge.size = 1 << 32
    with pytest.raises(DriverMisuse, match="0x100000010 bytes; it must be shorter than 2"):
        bench.queue.add([part], [huge])
    with pytest.raises(DriverMisuse, match="0x100000000 bytes; it must be shorter than 2"):
        bench.queue.add([], [huge])
    bench.queue.add((), [part] * 3)
    with pytest.raises(QueueFull, match="2 descriptors are needed and 1 of 4 are free"):
        bench.queue.add([part], [part])
    assert bench.queue.free == 1
    bench.queue.reset()
    assert bench.queue.ring_bytes() == before


@pytest.mark.parametrize("format_", FORMATS)
def test_a_queue_without_a_notifier_says_so(format_: str) -> None:
    memory = Memory()
    queue = queue_of(format_, 4, memory)
    queue.add((), [memory.allocate(8)])
    with pytest.raises(DriverMisuse, match="queue 0 has no notifier"):
        queue.publish()
