"""The emulated block device: requests as the specification lays them out, on memory and on a file."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from uvirtio.errors import CannotRun, LocatorError

from .raw import DEVICE, SUSPEND_14, Raw, RawQueue

FLUSH, CONFIG_WCE, DISCARD, WRITE_ZEROES, MQ = 9, 11, 13, 14, 12
ALL = (FLUSH, CONFIG_WCE, DISCARD, WRITE_ZEROES)
OK, IOERR, UNSUPP = 0, 1, 2


def ready(query: str = "", *bits: int) -> tuple[Raw, RawQueue]:
    raw = Raw("emulated:blk?" + ("&".join(filter(None, ("size=1M", query))) if "image" not in query else query))
    return raw, raw.bring_up(*(bits or ALL))


def ask(raw: Raw, queue: RawQueue, kind: int, sector: int, out: bytes = b"", into: int = 0) -> tuple[int, int, bytes]:
    """One request: (status, used length, data read)."""
    header, _ = raw.buffer(struct.pack("<IIQ", kind, 0, sector))
    parts = [(header, 16, False)]
    if out:
        address, _ = raw.buffer(out)
        parts.append((address, len(out), False))
    data = memoryview(b"")
    if into:
        address, data = raw.buffer(into)
        parts.append((address, into, True))
    status, status_byte = raw.buffer(b"\xff")
    parts.append((status, 1, True))
    head = queue.publish(*parts)
    queue.kick()
    assert raw.until(lambda: queue.used_index() != queue.seen)
    ((used, length),) = queue.used_entries()
    assert used == head
    return status_byte[0], length, bytes(data[:into])


def test_what_was_written_is_read_back() -> None:
    raw, queue = ready()
    data = bytes(range(256)) * 8
    assert ask(raw, queue, 1, 100, out=data) == (OK, 1, b"")
    assert ask(raw, queue, 0, 100, into=2048) == (OK, 2049, data)
    assert ask(raw, queue, 0, 104, into=512) == (OK, 513, bytes(512))
    assert raw.faults() == []


def test_a_request_may_be_cut_up_in_any_way() -> None:
    raw, queue = ready()
    header, _ = raw.buffer(struct.pack("<IIQ", 1, 0, 3))
    data, _ = raw.buffer(b"abcd" * 128)
    status, byte = raw.buffer(b"\xff")
    pieces = [(header, 5, False), (header + 5, 11, False), (data, 100, False), (data + 100, 412, False)]
    queue.publish(*pieces, (status, 1, True))
    queue.kick()
    assert raw.until(lambda: queue.used_index() == 1)
    queue.used_entries()
    assert byte[0] == OK
    assert ask(raw, queue, 0, 3, into=512)[2] == b"abcd" * 128


@pytest.mark.parametrize(
    ("kind", "sector", "out", "into"),
    [(0, 2048, b"", 512), (0, 2047, b"", 1024), (1, 1 << 60, bytes(512), 0), (0, 0, b"", 100)],
    ids=["behind", "across", "far", "unaligned"],
)
def test_a_request_that_is_not_on_the_disk_is_an_io_error(kind: int, sector: int, out: bytes, into: int) -> None:
    raw, queue = ready()
    assert ask(raw, queue, kind, sector, out=out, into=into)[0] == IOERR
    assert ask(raw, queue, 0, 0, into=512)[0] == OK


def test_an_unknown_request_is_unsupported() -> None:
    raw, queue = ready()
    assert ask(raw, queue, 99, 0)[0] == UNSUPP


def test_a_request_without_a_place_for_its_status_needs_a_reset() -> None:
    raw, queue = ready()
    header, _ = raw.buffer(struct.pack("<IIQ", 4, 0, 0))
    queue.publish((header, 16, False))
    queue.kick()
    raw.clock.sleep(0.1)
    assert raw.status() == 0x4F


def test_flush_get_id_discard_and_write_zeroes() -> None:
    raw, queue = ready("serial=hello")
    assert ask(raw, queue, 4, 0)[0] == OK
    assert ask(raw, queue, 8, 0, into=20) == (OK, 21, b"hello".ljust(20, b"\0"))
    for kind in (11, 13):
        ask(raw, queue, 1, 8, out=b"x" * 1024)
        assert ask(raw, queue, kind, 0, out=struct.pack("<QII", 8, 1, 0))[0] == OK
        assert ask(raw, queue, 0, 8, into=1024)[2] == bytes(512) + b"x" * 512
    assert ask(raw, queue, 11, 0, out=struct.pack("<QII", 8, 1, 1))[0] == UNSUPP
    assert ask(raw, queue, 13, 0, out=struct.pack("<QII", 2040, 100, 0))[0] == IOERR


def test_requests_that_were_not_negotiated_are_unsupported() -> None:
    raw, queue = ready("", SUSPEND_14)
    assert ask(raw, queue, 4, 0)[0] == UNSUPP
    assert ask(raw, queue, 13, 0, out=struct.pack("<QII", 8, 1, 0))[0] == UNSUPP
    assert raw.bar.read(DEVICE + 32, 1) == 0, "no flush, so no write cache"


def test_a_read_only_disk_refuses_writes() -> None:
    raw, queue = ready("readonly=on", 5)
    assert ask(raw, queue, 1, 0, out=bytes(512))[0] == IOERR
    assert ask(raw, queue, 0, 0, into=512)[0] == OK


def test_an_image_file_holds_what_was_written(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(64 << 10))
    raw, queue = ready(f"image={image}")
    assert raw.bar.read(DEVICE, 4) == 128
    ask(raw, queue, 1, 5, out=b"y" * 512)
    assert ask(raw, queue, 4, 0)[0] == OK
    assert image.read_bytes()[5 * 512 : 6 * 512] == b"y" * 512
    with pytest.raises(CannotRun):
        ready(f"image={tmp_path}/none")


def test_the_capacity_is_two_32_bit_reads_and_anything_else_is_noted() -> None:
    raw, _ = ready()
    assert (raw.bar.read(DEVICE, 4), raw.bar.read(DEVICE + 4, 4)) == (2048, 0)
    assert raw.faults() == []
    raw.bar.read(DEVICE + 32, 4)
    assert len(raw.faults()) == 1


def test_the_cache_mode_is_writable_while_running_and_not_while_suspended() -> None:
    raw, _ = ready("", SUSPEND_14, *ALL)
    assert raw.bar.read(DEVICE + 32, 1) == 1
    raw.bar.write(DEVICE + 32, 1, 0)
    assert raw.bar.read(DEVICE + 32, 1) == 0
    raw.set_status(0x1F)
    assert raw.until(lambda: raw.status() == 0x1B)
    raw.bar.write(DEVICE + 32, 1, 1)
    assert raw.bar.read(DEVICE + 32, 1) == 0
    raw.set_status(0x1F)
    assert raw.until(lambda: raw.status() == 0x0F)
    assert raw.bar.read(DEVICE + 32, 1) == 0


def test_a_field_that_is_not_writable_keeps_its_value() -> None:
    raw, _ = ready()
    raw.bar.write(DEVICE, 4, 7)
    assert raw.bar.read(DEVICE, 4) == 2048
    assert raw.faults()


def test_a_resize_notifies_makes_a_new_generation_and_more_disk() -> None:
    raw, queue = ready()
    before = raw.bar.read(0x15, 1)
    raw.bus.triggers.fire("change_config", capacity=4096)
    assert raw.isr() == 2
    assert raw.bar.read(DEVICE, 4) == 4096
    assert raw.bar.read(0x15, 1) != before
    assert ask(raw, queue, 1, 4000, out=b"z" * 512)[0] == OK
    raw.bus.triggers.fire("resize")
    assert raw.bar.read(DEVICE, 4) == 4104


def test_a_resize_while_suspended_shows_and_notifies_only_on_resume() -> None:
    raw, _ = ready("", SUSPEND_14)
    raw.set_status(0x1F)
    raw.bus.triggers.fire("resize", sectors=4096)
    raw.clock.sleep(0.2)
    assert raw.isr() == 0
    assert raw.bar.read(DEVICE, 4) == 2048
    raw.set_status(0x1F)
    assert raw.status() == 0x0F
    assert raw.isr() == 2
    assert raw.bar.read(DEVICE, 4) == 4096


@pytest.mark.parametrize(
    ("fault", "during", "after", "shown"),
    [("V6", 2, 2, 4096), ("V7", 0, 0, 4096), ("V5", 0, 2, None)],
)
def test_faults_around_a_change_while_suspended(fault: str, during: int, after: int, shown: int | None) -> None:
    raw, _ = ready(f"fault={fault}", SUSPEND_14)
    raw.set_status(0x1F)
    before = raw.bar.read(DEVICE + 28, 4)
    if shown is not None:
        raw.bus.triggers.fire("resize", sectors=shown)
    raw.clock.sleep(0.2)
    assert raw.isr() == during
    if shown is None:
        assert raw.bar.read(DEVICE + 28, 4) != before
    else:
        assert raw.bar.read(DEVICE, 4) == shown
    raw.set_status(0x1F)
    assert raw.status() == 0x0F
    assert raw.isr() == after


def test_a_device_that_sets_both_isr_bits_does_so_for_a_change() -> None:
    raw, _ = ready("both_isr=on")
    raw.bus.triggers.fire("resize")
    assert raw.isr() == 3


def test_several_queues_work_side_by_side() -> None:
    raw = Raw("emulated:blk?size=1M&queues=4")
    raw.bring_up(MQ, *ALL, queues=4)
    assert raw.bar.read(DEVICE + 34, 2) == 4
    for index, queue in enumerate(raw.queues):
        assert ask(raw, queue, 1, index, out=bytes([65 + index]) * 512)[0] == OK
    assert ask(raw, raw.queues[0], 0, 0, into=2048)[2] == b"".join(bytes([65 + i]) * 512 for i in range(4))


@pytest.mark.parametrize(
    "query",
    [
        "size=100",
        "size=0",
        "size=big",
        "size=1M&image=x",
        "serial=" + "x" * 21,
        "queues=0",
        "block=1000",
        "block=256",
        "size=1M&block=131072",
        "size=1536&block=1024",
    ],
)
def test_a_disk_that_makes_no_sense_is_refused(query: str) -> None:
    with pytest.raises(LocatorError):
        Raw(f"emulated:blk?{query}")


def test_a_trigger_that_makes_no_sense_is_refused() -> None:
    raw, _ = ready()
    for name, arguments in (("dance", {}), ("change_config", {"colour": 1}), ("resize", {"sectors": "many"})):
        with pytest.raises(CannotRun):
            raw.bus.triggers.fire(name, **arguments)
    with pytest.raises(CannotRun):
        raw.bus.triggers.fire("change_config", blk_size=1 << 40)
    assert raw.bus.triggers.available() == {"change_config", "delay", "resize", "restore", "state"}
