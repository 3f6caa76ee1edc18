"""The direct client of a vfio-user server: what it sends, and what it says when the server is not what it should be."""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.vfio_client.fake import (
    DMA_MAP,
    DMA_UNMAP,
    GET_INFO,
    GET_REGION,
    HEADER,
    READ,
    SET_IRQS,
    VERSION,
    WRITE,
    Close,
    FakeServer,
)
from uvirtio.access.interrupt import NoLine
from uvirtio.bus.locator import parse
from uvirtio.bus.opening import open_function
from uvirtio.bus.vfio_user import VfioUserFunction, open_vfio_user
from uvirtio.errors import (
    CannotRun,
    DeviceDied,
    DeviceGone,
    DeviceMisbehaved,
    DeviceTimeout,
    LocatorError,
    NoSuchDevice,
    NotVirtio,
)


def close(_payload: bytes) -> bytes:
    raise Close


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    before = len(os.listdir("/proc/self/fd"))
    fake = FakeServer(tmp_path / "s")
    yield fake
    fake.join()
    assert len(os.listdir("/proc/self/fd")) == before, "a file descriptor was left open"


def opened(server: FakeServer, parameters: str = "?timeout=5") -> VfioUserFunction:
    return open_vfio_user(parse(f"vfio-user:{server.path}{parameters}"))


def test_it_opens_through_the_locator_and_reads_and_writes_with_the_width_that_was_asked_for(
    server: FakeServer,
) -> None:
    with open_function(f"vfio-user:{server.path}") as function:
        assert function.bus == "vfio-user"
        assert function.config.u32[0] == 0x1044_1AF4
        bar = function.bar(4)
        assert bar.length == 0x1000
        assert bar.u16[3] == 0x5A5A
        bar.u8[0x14] = 0x1F
    assert struct.unpack("=QII", server.of(READ)[-1]) == (6, 4, 2)
    assert server.of(WRITE)[-1] == struct.pack("=QIIB", 0x14, 4, 1, 0x1F)


def test_it_switches_decoding_on_lets_intx_through_and_masters_the_bus_once_it_is_asked_to(server: FakeServer) -> None:
    struct.pack_into("<H", server.config, 4, 0x404)
    with opened(server) as function:
        assert struct.unpack_from("<H", server.config, 4)[0] == 0x3
        function.enable_bus_mastering()
        assert struct.unpack_from("<H", server.config, 4)[0] == 0x7


def test_memory_goes_to_the_server_as_a_descriptor_at_an_address_that_is_no_offset(server: FakeServer) -> None:
    with opened(server) as function:
        dma = function.dma.allocate(64)
        dma.memory[:4] = b"ring"
        _, flags, offset, address, size = struct.unpack("=IIQQQ", server.of(DMA_MAP)[0])
        assert flags == 3
        assert address > 1 << 32
        assert address <= dma.address < address + size
        descriptor = server.descriptors[-1]
        assert os.pread(descriptor, 4, offset + dma.address - address) == b"ring"
        function.dma.allocate(8 << 20)
        second = struct.unpack("=IIQQQ", server.of(DMA_MAP)[1])
        assert second[3] > address + size, "there is a gap between chunks"
        dma.memory.release()
    assert [struct.unpack("=IIQQ", payload)[2] for payload in server.of(DMA_UNMAP)] == [address, second[3]]


def test_an_interrupt_is_told_once_and_unmasked_before_the_next_wait(server: FakeServer) -> None:
    with opened(server) as function:
        line = function.line
        assert line.present
        eventfd = server.descriptors[-1]
        line.enable()
        assert not line.wait(0.0)
        os.write(eventfd, (1).to_bytes(8, "little"))
        assert line.wait(5.0)
        assert line.count() == 1
        unmasks = [payload for payload in server.of(SET_IRQS) if struct.unpack_from("=I", payload, 4)[0] & 0x10]
        assert unmasks == []
        line.enable()
        line.enable()
        assert not line.wait(0.0)
        unmasks = [payload for payload in server.of(SET_IRQS) if struct.unpack_from("=I", payload, 4)[0] & 0x10]
        assert unmasks == [struct.pack("=IIIII", 20, 0x11, 0, 0, 1)]


def test_a_delivery_that_was_counted_is_still_told_by_the_next_wait(server: FakeServer) -> None:
    with opened(server) as function:
        os.write(server.descriptors[-1], (2).to_bytes(8, "little"))
        assert function.line.count() == 2
        before = len(server.of(SET_IRQS))
        function.line.enable()
        assert len(server.of(SET_IRQS)) == before, "unmasked now, the same level would be delivered twice"
        assert function.line.wait(0.0)


def test_msix_vectors_have_an_eventfd_each_as_far_as_there_are_such(server: FakeServer) -> None:
    with opened(server) as function:
        lines = function.open_vectors(3, events=True)
        assert struct.unpack("=IIIII", server.of(SET_IRQS)[-1]) == (20, 0x24, 2, 0, 3)
        os.write(server.descriptors[-1], (1).to_bytes(8, "little"))
        assert [line.count() for line in lines] == [0, 0, 1]
        function.close_vectors()
        assert struct.unpack("=IIIII", server.of(SET_IRQS)[-1]) == (20, 0x21, 2, 0, 0)
        assert len(function.open_vectors(5, events=True)) == 4


def test_vectors_for_which_there_are_no_descriptors_are_refused_in_a_sentence(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with opened(server) as function:
        monkeypatch.setattr(os, "eventfd", refuse)
        with pytest.raises(
            CannotRun, match="3 vectors need as many descriptors, and 0 were to be had: Too many open files"
        ):
            function.open_vectors(3, events=True)
        assert not function._vectors


def test_without_intx_it_polls_and_says_so(server: FakeServer) -> None:
    server.irqs[0] = 0
    with opened(server) as function:
        assert isinstance(function.line, NoLine)
        assert "offers no INTx" in function.line.description


def test_an_access_that_the_server_refuses_reads_all_ones_and_the_session_goes_on(server: FakeServer) -> None:
    with opened(server) as function:
        good = server.handlers[READ]
        server.handlers[READ] = lambda _: errno.EINVAL
        server.handlers[WRITE] = lambda _: errno.EINVAL
        bar = function.bar(4)
        assert (bar.u8[0], bar.u16[0], bar.u32[0]) == (0xFF, 0xFFFF, 0xFFFF_FFFF)
        bar.u8[0] = 1
        server.handlers[READ] = good
        assert bar.u8[0] == 0x5A


def test_a_bar_that_is_not_there_is_named(server: FakeServer) -> None:
    with opened(server) as function:
        for number in (0, 6, 7):
            with pytest.raises(DeviceMisbehaved, match=rf"no BAR {number}; the server offers \[4\]"):
                function.bar(number)


# -- servers that are none, or none that can be used -----------------------------------------------------------


def test_a_path_where_nothing_is_says_how_to_start_a_server(tmp_path: Path) -> None:
    with pytest.raises(NoSuchDevice, match=r"No such file.*uvirtio serve rng --socket"):
        open_function(f"vfio-user:{tmp_path}/none")


def test_a_socket_file_that_nobody_listens_on_is_no_server(tmp_path: Path) -> None:
    path = str(tmp_path / "stale")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    with pytest.raises(NoSuchDevice, match="refused"):
        open_function(f"vfio-user:{path}")


def _other_server(path: Path, talk: Callable[[socket.socket], object]) -> threading.Thread:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        with listener:
            connection, _ = listener.accept()
        with connection:
            talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def _echo(connection: socket.socket) -> None:
    connection.sendall(connection.recv(4096))
    connection.recv(4096)


def _greet(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example ESMTP ready\r\n")
    connection.recv(1)


def _listen(connection: socket.socket) -> None:
    while connection.recv(4096):
        """Say nothing."""


OTHERS: dict[str, Callable[[socket.socket], object]] = {
    "it greets with text": _greet,
    "it says nothing": _listen,
    "it closes at once": lambda connection: None,
    "it closes after the question": lambda connection: connection.recv(4096),
    "it echoes": _echo,
    "it sends a giant message": lambda connection: connection.sendall(HEADER.pack(1, 1, 1 << 31, 1, 0)),
    "it sends half a message": lambda connection: connection.sendall(HEADER.pack(1, 1, 40, 1, 0) + b"xx"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_socket_that_is_no_vfio_user_server_is_named_within_the_timeout(tmp_path: Path, what: str) -> None:
    thread = _other_server(tmp_path / "s", OTHERS[what])
    with pytest.raises(CannotRun, match="does not behave like a vfio-user server"):
        open_function(f"vfio-user:{tmp_path}/s?timeout=0.3")
    thread.join(5)
    assert not thread.is_alive()


def test_another_major_version_is_named(server: FakeServer) -> None:
    server.handlers[VERSION] = lambda _: struct.pack("=HH", 3, 1) + b"{}\0"
    with pytest.raises(CannotRun, match=r"speaks vfio-user 3\.1"):
        opened(server)


def test_a_device_that_is_not_pci_is_named(server: FakeServer) -> None:
    server.handlers[GET_INFO] = lambda _: struct.pack("=IIII", 16, 1 << 3, 9, 5)
    with pytest.raises(NotVirtio, match="no PCI device"):
        opened(server)


def test_a_configuration_space_that_is_too_small_is_named(server: FakeServer) -> None:
    server.sizes[7] = 64
    with pytest.raises(NotVirtio, match="configuration space has 64 bytes"):
        opened(server)


@pytest.mark.parametrize(
    ("command", "answer", "said"),
    [
        (VERSION, b"\0", "VERSION message of 1 bytes"),
        (VERSION, struct.pack("=HH", 0, 0) + b"{not json", "no proper JSON"),
        (GET_INFO, b"\x10\0\0\0", "GET_INFO message of 4 bytes"),
        (GET_REGION, struct.pack("=IIIIQQ", 32, 3, 9, 0, 256, 0), "describes region 9 instead of 0"),
        (GET_REGION, b"", "GET_REGION_INFO message of 0 bytes"),
    ],
)
def test_a_wrong_answer_while_opening_is_named(server: FakeServer, command: int, answer: bytes, said: str) -> None:
    server.handlers[command] = lambda _: answer
    with pytest.raises((CannotRun, DeviceMisbehaved), match=said):
        opened(server)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda payload: payload[:16], id="no data"),
        pytest.param(lambda payload: payload[:16] + b"\1", id="too little"),
        pytest.param(lambda payload: payload[:16] + b"\1" * 8, id="too much"),
        pytest.param(lambda payload: struct.pack("=QII", 0, 4, 8) + b"\1" * 8, id="another access"),
        pytest.param(lambda payload: b"", id="nothing"),
    ],
)
def test_an_access_answered_with_a_wrong_size_is_named(server: FakeServer, answer: Callable[[bytes], bytes]) -> None:
    with opened(server) as function:
        server.handlers[READ] = answer
        with pytest.raises(DeviceMisbehaved, match="access"):
            _ = function.bar(4).u32[1]


def test_a_server_that_closes_over_an_access_has_died_over_it_and_is_gone_from_then_on(server: FakeServer) -> None:
    with opened(server) as function:
        function.dma.allocate(64)
        server.handlers[READ] = close
        with pytest.raises(DeviceDied, match="closed the connection over an access that it had taken"):
            _ = function.bar(4).u32[1]
        with pytest.raises(DeviceGone) as raised:
            function.bar(4).u32[1] = 0
        assert not isinstance(raised.value, DeviceDied)


def test_a_server_that_falls_silent_is_given_up_after_the_timeout(server: FakeServer) -> None:
    with opened(server, "?timeout=0.2") as function:
        server.raw = lambda number, command: b"" if command == READ else None
        with pytest.raises(DeviceTimeout, match=r"within 0\.2 s"):
            _ = function.bar(4).u8[0]


def test_the_late_answer_to_an_access_that_was_given_up_is_not_taken_for_the_next_ones(server: FakeServer) -> None:
    with opened(server) as function:
        late = struct.pack("=QII", 0, 4, 1) + b"\x77"

        def twice(number: int, command: int) -> bytes | None:
            if command != READ:
                return None
            old = HEADER.pack(number - 1 & 0xFFFF, READ, 16 + len(late), 1, 0) + late
            answer = struct.pack("=QII", 0, 4, 1) + b"\x11"
            return old + HEADER.pack(number, READ, 16 + len(answer), 1, 0) + answer

        server.raw = twice
        assert function.bar(4).u8[0] == 0x11


def test_a_server_that_asks_for_memory_by_message_is_told_no_and_the_access_goes_on(server: FakeServer) -> None:
    with opened(server) as function:

        def ask_first(number: int, command: int) -> bytes | None:
            if command != READ:
                return None
            answer = struct.pack("=QII", 0, 4, 1) + b"\x11"
            return HEADER.pack(7, 11, 32, 0, 0) + bytes(16) + HEADER.pack(number, READ, 16 + len(answer), 1, 0) + answer

        server.raw = ask_first
        assert function.bar(4).u8[0] == 0x11
        server.raw = lambda number, command: None
        assert function.bar(4).u8[0] == 0x5A
        assert server.replies == [(7, 11, 0x21)]


def test_an_answer_to_another_command_is_named(server: FakeServer) -> None:
    with opened(server) as function:
        server.raw = lambda number, command: HEADER.pack(number, WRITE, 16, 1, 0) if command == READ else None
        with pytest.raises(DeviceMisbehaved, match="answers command 10 where REGION_READ was asked"):
            _ = function.bar(4).u8[0]


@pytest.mark.parametrize("parameter", ["?timeout=soon", "?timeout=0", "?timeout=inf", "?speed=high", "?legacy=maybe"])
def test_parameters_that_make_no_sense_are_named_before_anything_is_opened(tmp_path: Path, parameter: str) -> None:
    with pytest.raises(LocatorError, match=parameter[1:].partition("=")[0]):
        open_function(f"vfio-user:{tmp_path}/none{parameter}")
