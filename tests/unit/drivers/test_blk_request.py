"""What the block driver puts into its requests, and what it makes of the answers."""

from __future__ import annotations

import re
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.drivers.support import Answer, Seen, Stand, running, stand_in
from uvirtio.access.dma import Arena
from uvirtio.errors import (
    DeviceMisbehaved,
    DeviceTimeout,
    NotOffered,
    PastTheEnd,
    ReadOnly,
    RequestFailed,
    RequestUnsupported,
    SuspendedError,
    Unaligned,
)
from uvirtio.spec.devices import blk as spec
from uvirtio.spec.dialects import V1_4
from uvirtio.spec.ids import DeviceType
from uvirtio.suspend import Suspender
from uvirtio_drivers.blk import Blk
from uvirtio_drivers.blk_request import Limits, split

CAPACITY = 4096


def disk(seen: Seen) -> int:
    """A device that answers everything well: reads give the sector's number in every byte pair."""
    kind, _, sector = int.from_bytes(seen.readable[:4], "little"), 0, int.from_bytes(seen.readable[8:16], "little")
    size = sum(seen.writable_sizes) - 1
    if kind == 0:
        data = b"".join(pack("<H", sector + number) * 256 for number in range(size // 512))
    elif kind == 8:
        data = b"a serial number".ljust(20, b"\0")
    else:
        data = b""
    return seen.write(data + b"\0")


def blk_type(answer: Answer = disk, **changes: object) -> type[Stand]:
    settings: dict[str, object] = {"features": (spec.FLUSH,), "config": {"capacity": CAPACITY}}
    settings |= changes
    return stand_in(DeviceType.BLK, answer, **settings)  # type: ignore[arg-type]


def test_a_read_is_a_header_the_data_and_a_status_byte() -> None:
    with running(blk_type(), Blk) as (blk, _, bus):
        data = blk.read(7, 1024)
        (seen,) = bus.function.device.model.seen
    assert seen.readable == bytes.fromhex("00000000 00000000 0700000000000000")
    assert (seen.readable_sizes, seen.writable_sizes) == ([16], [1024, 1])
    assert data == b"\x07\x00" * 256 + b"\x08\x00" * 256


def test_the_capacity_is_read_once_and_again_when_it_may_have_changed() -> None:
    with running(blk_type(), Blk) as (blk, device, bus):

        def reads() -> int:
            """Reads of the configuration since the last time."""
            entries = list(bus.log.entries)
            found = sum(entry.kind == "read" and entry.space == "device" for entry in entries[len(counted) :])
            counted[:] = entries
            return found

        counted: list[object] = []
        reads()
        blk.read(0, 512)
        assert reads() > 0
        blk.read(0, 512)
        assert reads() == 0
        with pytest.raises(PastTheEnd):
            blk.read(CAPACITY, 512)
        assert reads() > 0, "it may have grown unheard"
        bus.function.device.model.change(capacity=1)
        device.notifications.collect()
        with pytest.raises(PastTheEnd, match="1 sectors"):
            blk.read(1, 512)
        assert reads() > 0


def test_a_write_carries_its_data_behind_the_header() -> None:
    with running(blk_type(), Blk) as (blk, _, bus):
        blk.write(0x1_0002 & 0xFFF, b"\x5a" * 512)
        (seen,) = bus.function.device.model.seen
    assert seen.readable == bytes.fromhex("01000000 00000000 0200000000000000") + b"\x5a" * 512
    assert (seen.readable_sizes, seen.writable_sizes) == ([16, 512], [1])


def test_a_flush_has_no_data_and_sector_zero() -> None:
    with running(blk_type(), Blk) as (blk, _, bus):
        blk.flush()
        (seen,) = bus.function.device.model.seen
    assert seen.readable == bytes.fromhex("04000000 00000000 0000000000000000")
    assert seen.writable_sizes == [1]


def test_the_id_is_asked_for_with_twenty_bytes_and_ends_at_the_first_nul() -> None:
    with running(blk_type(), Blk) as (blk, _, bus):
        assert blk.get_id() == "a serial number"
        (seen,) = bus.function.device.model.seen
    assert seen.readable[:4] == bytes.fromhex("08000000")
    assert seen.writable_sizes == [20, 1]


def test_discard_and_write_zeroes_are_cut_into_segments_as_the_configuration_limits_them() -> None:
    config = {
        "capacity": CAPACITY, "max_discard_sectors": 8, "max_discard_seg": 2,
        "max_write_zeroes_sectors": 100, "max_write_zeroes_seg": 1,
    }  # fmt: skip
    with running(blk_type(features=(spec.DISCARD, spec.WRITE_ZEROES), config=config), Blk) as (blk, _, bus):
        blk.discard(16, 20)
        blk.write_zeroes(3, 2, unmap=True)
        first, second, third = sorted(
            bus.function.device.model.seen, key=lambda seen: (seen.readable[0], -len(seen.readable))
        )
    assert first.readable[:4] == second.readable[:4] == bytes.fromhex("0b000000")
    assert first.readable[16:] == pack("<QIIQII", 16, 8, 0, 24, 8, 0)
    assert second.readable[16:] == pack("<QII", 32, 4, 0)
    assert third.readable == pack("<IIQ", 13, 0, 0) + pack("<QII", 3, 2, 1)


def test_requests_go_to_all_request_queues_in_turn() -> None:
    device_type = blk_type(queues=3, features=(spec.MQ, spec.SIZE_MAX, spec.SEG_MAX),
                           config={"capacity": CAPACITY, "num_queues": 3, "size_max": 512, "seg_max": 1})  # fmt: skip
    with running(device_type, Blk) as (blk, _, bus):
        blk.read(0, 6 * 512)
        assert sorted(seen.queue for seen in bus.function.device.model.seen) == [0, 0, 1, 1, 2, 2]


def test_several_requests_are_in_flight_at_once() -> None:
    with running(blk_type(features=(spec.SIZE_MAX, spec.SEG_MAX), config={"capacity": CAPACITY, "size_max": 4096, "seg_max": 1}),
                 Blk, parameters="?latency=1&depth=16") as (blk, device, _):  # fmt: skip
        started = device.clock.now()
        blk.read(0, 16 * 4096)
        # Sixteen requests of one second each, one after the other, would take sixteen.
        assert device.clock.now() - started < 3


class Memory(Arena):
    def grow(self, size: int) -> tuple[memoryview, int]:
        return memoryview(bytearray(max(size, 1 << 20))), 0x7_0000_0000


@given(
    sector=st.integers(0, 1 << 40),
    sectors=st.integers(0, 3000),
    segments=st.integers(1, 130),
    segment=st.integers(1, 1 << 17),
    unit=st.sampled_from([512, 1024, 4096]),
)
def test_splitting_covers_exactly_what_was_asked_within_all_limits(
    sector: int, sectors: int, segments: int, segment: int, unit: int
) -> None:
    limits = Limits(segments, segment, unit)
    if limits.request == 0:
        assert segments * segment < unit
        return
    pieces = list(split(sector, sectors * 512, limits.request))
    at = sector
    for start, size in pieces:
        assert start == at
        assert 0 < size <= limits.request
        assert size % 512 == 0
        at += size // 512
    assert at == sector + sectors
    assert all(size % unit == 0 for _, size in pieces[:-1])
    memory = Memory()
    if pieces:
        data = memory.allocate(pieces[0][1])
        parts = limits.pieces(data)
        assert len(parts) <= segments
        assert all(0 < part.size <= segment for part in parts)
        assert b"".join(bytes(part.memory) for part in parts) == bytes(data.memory)
        assert [part.address - data.address for part in parts] == [segment * number for number in range(len(parts))]


@pytest.mark.parametrize(
    ("act", "error", "says"),
    [
        (lambda blk: blk.read(0, 511), Unaligned, "multiples of 512"),
        (lambda blk: blk.write(0, b"x" * 513), Unaligned, "multiples of 512"),
        (lambda blk: blk.read(CAPACITY, 512), PastTheEnd, f"the device has {CAPACITY} sectors"),
        (lambda blk: blk.read(CAPACITY - 1, 1024), PastTheEnd, "reach past the end"),
        (lambda blk: blk.read(-1, 512), PastTheEnd, "reach past the end"),
        (lambda blk: blk.write(1 << 63, b"x" * 512), PastTheEnd, "reach past the end"),
        (lambda blk: blk.discard(0, 1), NotOffered, "BLK_F_DISCARD"),
        (lambda blk: blk.write_zeroes(0, 1), NotOffered, "BLK_F_WRITE_ZEROES"),
        (lambda blk: blk.fields.number("blk_size"), NotOffered, "BLK_F_BLK_SIZE"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name_before_the_device_hears_of_it(act, error, says) -> None:  # type: ignore[no-untyped-def]
    with running(blk_type(), Blk) as (blk, _, bus):
        with pytest.raises(error, match=re.escape(says)):
            act(blk)
        assert bus.function.device.model.seen == []


def test_a_read_only_device_is_not_written() -> None:
    with running(blk_type(features=(spec.RO,)), Blk) as (blk, _, bus):
        with pytest.raises(ReadOnly, match="BLK_F_RO"):
            blk.write(0, b"x" * 512)
        assert blk.read(0, 512)
        assert len(bus.function.device.model.seen) == 1


def status_only(status: int) -> Answer:
    return lambda seen: (seen.write(bytes((status,)), sum(seen.writable_sizes) - 1), sum(seen.writable_sizes))[1]


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (status_only(1), RequestFailed, "IOERR to a read of 512 bytes at sector 3"),
        (status_only(2), RequestUnsupported, "UNSUPP"),
        (status_only(0x77), DeviceMisbehaved, "status 0x77"),
        (lambda seen: 513, DeviceMisbehaved, "without writing its status byte"),
        (lambda seen: seen.write(bytes(513)) - 512, DeviceMisbehaved, "wrote 1 bytes"),
        (lambda seen: seen.write(bytes(513)) - 513, DeviceMisbehaved, "wrote 0 bytes"),
        (lambda seen: seen.write(bytes(513)) + 1, DeviceMisbehaved, "514 bytes into buffer"),
    ],
)
def test_each_wrong_answer_to_a_read_has_its_own_error(answer, error, says) -> None:  # type: ignore[no-untyped-def]
    with running(blk_type(answer), Blk) as (blk, _, _), pytest.raises(error, match=re.escape(says)):
        blk.read(3, 512)


def test_a_device_that_does_not_count_the_status_byte_is_borne() -> None:
    with running(blk_type(lambda seen: disk(seen) - 1), Blk) as (blk, _, _):
        assert blk.read(5, 1024) == b"\x05\x00" * 256 + b"\x06\x00" * 256
        blk.write(5, bytes(512))
        blk.flush()


def test_the_driver_works_on_after_a_failed_request() -> None:
    failing = [True]

    def answer(seen: Seen) -> int:
        return status_only(1)(seen) if failing[0] else disk(seen)

    with running(blk_type(answer), Blk) as (blk, _, _):
        with pytest.raises(RequestFailed):
            blk.read(0, 512)
        failing[0] = False
        assert blk.read(5, 512) == b"\x05\x00" * 256


def test_a_device_that_never_answers_times_out_and_keeps_its_buffer() -> None:
    with running(blk_type(), Blk, parameters="?latency=1000") as (blk, device, _):
        with pytest.raises(DeviceTimeout, match="reading 512 bytes at sector 0"):
            blk.read(0, 512, timeout=2.0)
        assert blk.requests.outstanding == 1
        (address,) = {request._block.address for flying in blk.requests._flying for request in flying.values()}
        again = device.function.dma.allocate(512, 4096)
        assert again.address != address


def test_nothing_is_submitted_to_a_suspended_device() -> None:
    with running(blk_type(), Blk) as (blk, device, _):
        suspender = Suspender(device, V1_4)
        suspender.suspend()
        with pytest.raises(SuspendedError, match="D3"):
            blk.read(0, 512)
        suspender.resume()
        assert blk.read(9, 512) == b"\x09\x00" * 256


@pytest.mark.parametrize(
    ("config", "features", "says"),
    [
        ({"blk_size": 0}, (spec.BLK_SIZE,), "blk_size says 0"),
        ({"blk_size": 1000}, (spec.BLK_SIZE,), "blk_size says 1000"),
        ({"size_max": 100, "seg_max": 2}, (spec.SIZE_MAX, spec.SEG_MAX), "not one block"),
        ({"num_queues": 0}, (spec.MQ,), "num_queues says 0"),
        ({"num_queues": 9}, (spec.MQ,), "num_queues says 9 with 1 virtqueues"),
    ],
)
def test_an_impossible_configuration_is_named(config, features, says) -> None:  # type: ignore[no-untyped-def]
    device_type = blk_type(features=features, config={"capacity": CAPACITY} | config)
    with pytest.raises(DeviceMisbehaved, match=re.escape(says)), running(device_type, Blk):
        pass


@pytest.mark.parametrize(
    "limits", [{"size_max": 0, "seg_max": 8}, {"size_max": 4096, "seg_max": 0}, {"size_max": 0, "seg_max": 0}]
)
def test_a_limit_of_zero_is_none(limits: dict[str, int]) -> None:
    config = {"capacity": CAPACITY} | limits
    with running(blk_type(features=(spec.SIZE_MAX, spec.SEG_MAX), config=config), Blk) as (blk, _, bus):
        assert blk.read(9, 4096)[:512] == b"\x09\x00" * 256
        assert bus.log.faults() == []


def test_a_configuration_that_is_too_short_for_its_features_is_named() -> None:
    config = {"capacity": CAPACITY, "blk_size": 512}
    with running(blk_type(features=(spec.BLK_SIZE,), config=config), Blk) as (blk, device, _):
        device.transport.config_length = 12
        with pytest.raises(DeviceMisbehaved, match="blk_size takes bytes 20 to 23"):
            blk.fields.number("blk_size")


def test_configuration_is_read_field_by_field_in_the_fields_own_width() -> None:
    device_type = blk_type(
        features=(spec.TOPOLOGY, spec.BLK_SIZE), config={"capacity": 0x1_0000_0001, "blk_size": 4096}
    )
    with running(device_type, Blk) as (blk, _, bus):
        assert blk.fields.values()["capacity"] == 0x1_0000_0001
        assert blk.fields.number("topology.physical_block_exp") == 0
        assert blk.fields.values()["blk_size"] == 4096
        assert bus.log.faults() == []
