"""The client before servers that are strict, slow, talkative or hostile, or that an earlier client has left in some state."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.vfio_client.fake import DMA_MAP, GET_IRQ, HEADER, READ, SET_IRQS, VERSION, WRITE, FakeServer
from uvirtio.bus.locator import parse
from uvirtio.bus.vfio_user import VfioUserFunction, open_vfio_user
from uvirtio.errors import CannotRun, DeviceGone, DeviceMisbehaved, DeviceTimeout, NotVirtio
from uvirtio_tools.inspect.sources import describe_open

DMA_READ, DMA_WRITE = 11, 12


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    fake = FakeServer(tmp_path / "s")
    yield fake
    fake.join()


def opened(server: FakeServer, timeout: float = 5) -> VfioUserFunction:
    return open_vfio_user(parse(f"vfio-user:{server.path}?timeout={timeout}"))


def answer(number: int, command: int, payload: bytes = b"", flags: int = 1, error: int = 0) -> bytes:
    return HEADER.pack(number, command, 16 + len(payload), flags, error) + payload


def versions(capabilities: bytes) -> Callable[[bytes], bytes]:
    return lambda _: struct.pack("=HH", 0, 0) + capabilities + b"\0"


# -- the handshake ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "capabilities",
    [
        b"[" * 20000,
        b'{"a":' * 20000,
        b'{"capabilities":{"max_msg_fds":"16"}}',
        b'{"capabilities":{"max_msg_fds":0}}',
        b'{"capabilities":{"max_msg_fds":1.5}}',
        b'{"capabilities":{"max_data_xfer_size":null}}',
        b'{"capabilities":' + b"1" * 5000 + b"}",
    ],
    ids=["brackets", "braces", "text", "zero", "half", "null", "digits"],
)
def test_a_version_that_cannot_be_is_named(server: FakeServer, capabilities: bytes) -> None:
    server.handlers[VERSION] = versions(capabilities)
    with pytest.raises(CannotRun, match="does not behave like a vfio-user server"):
        opened(server)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        (b"{}", [(0, 1), (1, 1), (2, 1)]),
        (b'{"capabilities":{"max_msg_fds":2}}', [(0, 2), (2, 1)]),
        (b'{"capabilities":{"max_msg_fds":1000000}}', [(0, 3)]),
    ],
)
def test_no_more_descriptors_are_sent_at_once_than_the_server_takes(
    server: FakeServer, capabilities: bytes, expected: list[tuple[int, int]]
) -> None:
    server.handlers[VERSION] = versions(capabilities)
    with opened(server) as function:
        before = len(server.of(SET_IRQS))
        function.open_vectors(3, events=True)
        sent = [struct.unpack("=IIIII", payload) for payload in server.of(SET_IRQS)[before:]]
    assert [(start, count) for _, _, _, start, count in sent] == expected


@pytest.mark.parametrize("number", [1 << 31, (1 << 32) - 1, 0, 4000])
def test_any_error_number_is_told(server: FakeServer, number: int) -> None:
    with opened(server) as function:
        server.raw = lambda id_, command: answer(id_, command, flags=0x21, error=number) if command == DMA_MAP else None
        with pytest.raises(DeviceMisbehaved, match=r"refuses DMA_MAP: (error \d+|no reason given|Unknown error 4000)$"):
            function.dma.allocate(64)


# -- time ------------------------------------------------------------------------------------------------------


def test_the_timeout_is_for_the_answer_whatever_else_the_server_sends(server: FakeServer) -> None:
    with opened(server, 0.3) as function:

        def never_stop(_number: int, command: int) -> bytes | None:
            while command == READ:
                server.connection.sendall(answer(0xFFFF, READ, bytes(20)) * 100)
            return None

        server.raw = never_stop
        with pytest.raises(DeviceTimeout, match=r"within 0\.3 s"):
            _ = function.bar(4).u8[0]


def test_opening_has_an_end_as_a_whole(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uvirtio.bus.vfio_user.function._OPENING", 0.2)
    server.delay = 0.05
    with pytest.raises(DeviceTimeout):
        opened(server)
    server.delay = 0.0


def test_a_look_at_a_server_that_is_slow_and_claims_65535_queues_ends(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.config[:] = virtio_config()
    server.registers = {0x12: 0xFFFF, 0x14: 0x0F}
    keep = {0x00: 0, 0x08: 0, 0x16: 0}  # the selectors
    write = server.handlers[WRITE]

    def written(payload: bytes) -> bytes | int:
        offset, region, count = struct.unpack_from("=QII", payload)
        if region == 4 and offset in keep:
            server.registers[offset] = int.from_bytes(payload[16 : 16 + count], "little")
        return write(payload)

    server.handlers[WRITE] = written
    server.registers |= keep
    with opened(server) as function:
        clock = iter(range(1, 1 << 30))
        monkeypatch.setattr(function.clock, "now", lambda: float(next(clock)))
        found = describe_open(function, seconds=400)
    assert found.status == 0x0F
    assert found.num_queues == 0xFFFF
    assert 0 < len(found.queues) < 60
    assert any(
        "of 65535 queues were looked at: the device is looked at for at most 400 s" in problem
        for problem in found.problems
    )


# -- what the server asks --------------------------------------------------------------------------------------


def asking(server: FakeServer, *requests: tuple[int, bytes]) -> None:
    """Before it answers the next read, the server sends these commands."""

    def raw(number: int, command: int) -> bytes | None:
        if command != READ:
            return None
        server.raw = lambda number, command: None
        sent = b"".join(answer(at, kind, payload, flags=0) for at, (kind, payload) in enumerate(requests))
        return sent + answer(number, READ, struct.pack("=QII", 0, 4, 1) + b"\x11")

    server.raw = raw


def test_a_server_that_cannot_map_memory_reads_and_writes_it_by_message(server: FakeServer) -> None:
    with opened(server) as function:
        dma = function.dma.allocate(64)
        dma.memory[:] = bytes(range(64))
        where = struct.pack("=QQ", dma.address + 4, 8)
        asking(server, (DMA_READ, where), (DMA_WRITE, where + b"abcdefgh"))
        assert function.bar(4).u8[0] == 0x11
        assert function.bar(4).u8[0] == 0x5A
        assert bytes(dma.memory[:16]) == bytes(range(4)) + b"abcdefgh" + bytes(range(12, 16))
        dma.memory.release()
    assert server.replies == [(0, DMA_READ, 1), (1, DMA_WRITE, 1)]
    assert server.answers == [where + bytes(range(4, 12)), where]


def test_only_memory_that_was_given_is_served(server: FakeServer) -> None:
    with opened(server) as function:
        address = function.dma.allocate(4096, 4096).address
        chunk = struct.unpack("=IIQQQ", server.of(DMA_MAP)[0])
        start, size = chunk[3:5]
        assert start <= address
        wrong = [
            (start - 1, 1),
            (start + size, 1),
            (start + size - 1, 2),
            (start, 0),
            (start, size),
            (0, 8),
            ((1 << 64) - 8, 16),
        ]
        asking(
            server,
            *((DMA_READ, struct.pack("=QQ", *each)) for each in wrong),
            *((DMA_WRITE, struct.pack("=QQ", *each) + bytes(min(each[1], 64))) for each in wrong),
            (DMA_READ, b"short"),
            (DMA_WRITE, struct.pack("=QQ", start, 8) + b"seven.."),
            (77, b""),
        )
        assert function.bar(4).u8[0] == 0x11
        assert function.bar(4).u8[0] == 0x5A
    assert {flags for _, _, flags in server.replies} == {0x21}
    assert len(server.replies) == 2 * len(wrong) + 3


@pytest.mark.parametrize("intx", [0, 1])
def test_memory_is_served_while_an_interrupt_is_waited_for(server: FakeServer, intx: int) -> None:
    server.irqs[0] = intx
    with opened(server) as function:
        address = function.dma.allocate(64).address
        server.connection.sendall(answer(3, DMA_READ, struct.pack("=QQ", address, 4), flags=0))
        deadline = time.monotonic() + 10
        while not server.replies and time.monotonic() < deadline:
            assert not function.line.wait(0.01)
    assert server.replies == [(3, DMA_READ, 1)]


def test_a_server_that_ends_while_an_interrupt_is_waited_for_is_a_device_that_is_gone(server: FakeServer) -> None:
    with opened(server) as function:
        server.connection.shutdown(2)
        with pytest.raises(DeviceGone):
            function.line.wait(5.0)


# -- memory and interrupts -------------------------------------------------------------------------------------


def test_memory_that_is_given_cannot_be_made_shorter_or_longer(server: FakeServer) -> None:
    with opened(server) as function:
        function.dma.allocate(64)
        given = server.descriptors[-1]
        size = os.fstat(given).st_size
        for other in (0, size - 4096, size + 4096):
            with pytest.raises(PermissionError):
                os.ftruncate(given, other)
        with pytest.raises(PermissionError):
            fcntl.fcntl(given, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)


@pytest.mark.parametrize(("flags", "unmasked"), [(1, 0), (1 | 8, 0), (1 | 2 | 4, 1), (1 | 4, 1)])
def test_only_what_the_server_says_that_it_masks_is_unmasked(server: FakeServer, flags: int, unmasked: int) -> None:
    good = server.handlers[GET_IRQ]
    server.handlers[GET_IRQ] = lambda payload: struct.pack("=II", 16, flags) + good(payload)[8:]  # type: ignore[index]
    with opened(server) as function:
        server.handlers[SET_IRQS] = lambda _: b"" if unmasked else errno.EINVAL
        os.write(server.descriptors[-1], (1).to_bytes(8, "little"))
        assert function.line.wait(5.0)
        function.line.enable()
        os.write(server.descriptors[-1], (1).to_bytes(8, "little"))
        assert function.line.wait(5.0)
    assert len([payload for payload in server.of(SET_IRQS) if struct.unpack_from("=I", payload, 4)[0] & 16]) == unmasked


# -- taking over -----------------------------------------------------------------------------------------------


def virtio_config() -> bytearray:
    """Configuration space of a modern device: MSI-X at 0x40 (enabled), COMMON at 0x50 in BAR 4, whose register reads 0."""
    config = bytearray(256)
    struct.pack_into("<HHHH", config, 0, 0x1AF4, 0x1044, 0x0007, 0x0010)
    struct.pack_into("<I", config, 8, 0x00FF_0001)
    struct.pack_into("<B", config, 0x34, 0x40)
    struct.pack_into("<BBHII", config, 0x40, 0x11, 0x50, 0x8003, 4, 0x804)
    struct.pack_into("<BBBBBBHII", config, 0x50, 0x09, 0, 16, 1, 4, 0, 0, 0, 0x40)
    return config


def test_msix_that_an_earlier_client_has_left_enabled_is_switched_off(server: FakeServer) -> None:
    server.config[:] = virtio_config()
    with opened(server) as function:
        assert function.line.present
        assert struct.unpack_from("<H", server.config, 0x42)[0] == 0x0003
        assert struct.unpack_from("<H", server.config, 0x04)[0] == 0x0003


def test_a_function_that_is_no_virtio_device_is_not_written_to(server: FakeServer) -> None:
    struct.pack_into("<HH", server.config, 0, 0x8086, 0x100E)
    with pytest.raises(NotVirtio, match="8086:100e"):
        opened(server)
    assert server.of(WRITE) == []
    assert server.of(SET_IRQS) == []


def test_a_bar_whose_register_reads_0_is_shown_with_the_size_of_its_region(server: FakeServer) -> None:
    server.config[:] = virtio_config()
    server.registers = {0x14: 0xFF}
    with opened(server) as function:
        found = describe_open(function)
    assert [(bar.number, bar.address, bar.size) for bar in found.bars] == [(4, 0, 0x1000)]
