"""The vfio-user server, by a client that knows nothing of it but the protocol."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .served import GUEST, GUEST_SIZE, ROOT, Client, arrived, control, log, served, until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One server for the tests that do not need their own; each client finds the device freshly reset."""
    path = tmp_path_factory.mktemp("served")
    with served(path, "rng", "--latency", "0.001"):
        yield path


@contextlib.contextmanager
def connected(folder: Path) -> Iterator[Client]:
    client = Client(folder / "s")
    try:
        client.hello()
        client.map_memory()
        yield client
    finally:
        client.close()


def test_the_device_says_what_it_is(folder: Path) -> None:
    with connected(folder) as client:
        assert struct.unpack("=IIII", client.call(4, struct.pack("=IIII", 16, 0, 0, 0))) == (16, 3, 9, 5)
        sizes = {}
        for region in range(9):
            body = client.call(5, struct.pack("=IIIIQQ", 32, 0, region, 0, 0, 0))
            sizes[region] = struct.unpack("=IIIIQQ", body)[4]
        assert sizes == {0: 0, 1: 0x1000, 2: 0, 3: 0, 4: 0x4000, 5: 0, 6: 0, 7: 256, 8: 0}
        irqs = {}
        for kind in range(5):
            body = client.call(7, struct.pack("=IIII", 16, 0, kind, 0))
            irqs[kind] = struct.unpack("=IIII", body)[3]
        assert irqs == {0: 1, 1: 0, 2: 2, 3: 0, 4: 0}


def test_the_whole_configuration_space_can_be_read_at_once(folder: Path) -> None:
    with connected(folder) as client:
        assert client.read(7, 0, 256) & 0xFFFFFFFF == 0x1044_1AF4


def test_random_bytes_arrive_in_shared_memory_with_one_interrupt(folder: Path) -> None:
    with connected(folder) as client:
        (intx,) = client.eventfd(0)
        client.bring_up()
        client.publish()
        client.kick()
        assert arrived(intx) == 1
        assert client.used() == 1
        assert len(set(client.memory[0x10000:0x10040])) > 16
        assert client.read(4, 0x1000, 1) == 1
        assert client.read(4, 0x1000, 1) == 0
        os.close(intx)


def test_a_level_that_is_still_up_is_signalled_again_on_unmask(folder: Path) -> None:
    with connected(folder) as client:
        (intx,) = client.eventfd(0)
        client.bring_up()
        client.publish()
        client.kick()
        assert arrived(intx) == 1
        client.unmask()
        assert arrived(intx) == 1
        assert client.read(4, 0x1000, 1) == 1
        client.unmask()
        assert arrived(intx, 0.05) == 0
        os.close(intx)


def test_an_edge_that_was_not_taken_is_taken_back_and_the_line_is_not_dead(folder: Path) -> None:
    with connected(folder) as client:
        (intx,) = client.eventfd(0)
        client.bring_up()
        for expected in (1, 2, 3):
            client.publish()
            client.kick()
            assert until(lambda expected=expected: client.used() == expected)
            assert client.read(4, 0x1000, 1) == 1  # the edge is still in the eventfd, nobody unmasks
            assert arrived(intx, 0.0) == 0
        os.close(intx)


def test_interrupt_disable_holds_the_line_down(folder: Path) -> None:
    with connected(folder) as client:
        (intx,) = client.eventfd(0)
        client.bring_up()
        client.write(7, 4, 2, 0x0406)
        client.publish()
        client.kick()
        assert until(lambda: client.used() == 1)
        assert arrived(intx, 0.05) == 0
        assert client.read(7, 6, 2) & 8, "interrupt status is live all the same"
        client.write(7, 4, 2, 0x0006)
        assert arrived(intx) == 1
        os.close(intx)


def test_msix_messages_come_through_their_eventfds(folder: Path) -> None:
    with connected(folder) as client:
        fds = client.eventfd(2, count=2)
        client.bring_up()
        client.write(7, 0x42, 2, 0x8000)
        client.write(4, 0x1A, 2, 1)
        client.publish()
        client.kick()
        assert arrived(fds[1]) == 1
        assert arrived(fds[0], 0.0) == 0
        assert client.read(4, 0x1000, 1) == 0
        client.call(8, struct.pack("=IIIII", 20, 0x21, 2, 0, 0))
        for fd in fds:
            os.close(fd)


def test_suspend_and_resume_over_the_wire(folder: Path) -> None:
    with connected(folder) as client:
        client.bring_up(43)
        client.publish()
        client.kick()
        client.write(4, 0x14, 1, 0x1F)
        assert until(lambda: client.read(4, 0x14, 1) == 0x1B)
        assert client.used() == 1
        assert control(folder, do="state")["phase"] == "suspended"
        client.publish()
        client.kick()
        assert client.read(4, 0x14, 1) == 0x1B
        assert client.used() == 1
        client.write(4, 0x14, 1, 0x1F)
        assert until(lambda: client.read(4, 0x14, 1) == 0x0F)
        assert until(lambda: client.used() == 2)
    names = [entry.get("event") for entry in log(folder)]
    for name in ("suspend requested", "suspend finished", "resume requested", "resume finished", "request completed"):
        assert name in names
    accesses = [entry for entry in log(folder) if entry.get("register") == "device_status"]
    assert {entry["width"] for entry in accesses} == {1}


def test_a_reset_message_clears_everything(folder: Path) -> None:
    with connected(folder) as client:
        client.bring_up()
        client.call(13)
        assert client.read(4, 0x14, 1) == 0
        assert client.read(7, 4, 2) == 0


def test_memory_that_was_unmapped_is_out_of_reach(folder: Path) -> None:
    with connected(folder) as client:
        client.bring_up()
        request = struct.pack("=IIQQ", 24, 0, GUEST, GUEST_SIZE)
        assert client.call(3, request) == request
        client.publish()
        client.kick()
        assert client.read(4, 0x14, 1) == 0x4F
        client.map_memory()
        client.bring_up()


@pytest.mark.parametrize(
    ("command", "payload", "number"),
    [
        (9, struct.pack("=QII", 0x4000, 4, 1), errno.EINVAL),
        (9, struct.pack("=QII", 0, 0, 4), errno.EINVAL),
        (5, struct.pack("=IIIIQQ", 32, 0, 12, 0, 0, 0), errno.EINVAL),
        (8, struct.pack("=IIIII", 20, 0x24, 2, 0, 100), errno.EINVAL),
        (77, b"", errno.EOPNOTSUPP),
    ],
)
def test_what_cannot_be_done_is_an_error_reply_and_the_session_goes_on(
    folder: Path, command: int, payload: bytes, number: int
) -> None:
    with connected(folder) as client:
        with pytest.raises(OSError) as caught:
            client.call(command, payload)
        assert caught.value.errno == number
        assert client.read(4, 0x14, 1) == 0


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\xff" * 64,
        struct.pack("=HHIII", 1, 9, 8, 0, 0),
        struct.pack("=HHIII", 1, 1, 20, 0, 0) + struct.pack("=HH", 7, 0),
        struct.pack("=HHIII", 1, 1, 23, 0, 0) + struct.pack("=HH", 0, 0) + b"{]\0",
        struct.pack("=HHIII", 1, 9, 32, 0, 0) + struct.pack("=QII", 0, 4, 1),
        struct.pack("=HHIII", 1, 1, 16, 1, 0),
    ],
    ids=["http", "ones", "short", "version", "json", "order", "reply"],
)
def test_garbage_closes_the_connection_and_the_next_client_is_served(folder: Path, garbage: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(folder / "s"))
        sock.sendall(garbage)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    with connected(folder) as client:
        assert client.read(4, 0x14, 1) == 0


def test_half_a_message_does_not_hold_up_the_control_socket(folder: Path) -> None:
    with connected(folder) as client:
        client.socket.sendall(b"\1\0\1")
        assert control(folder, do="state")["ok"] is True


def test_the_control_socket_answers_nonsense_with_an_error(folder: Path) -> None:
    assert control(folder, do="dance")["ok"] is False
    assert control(folder, nothing=1)["ok"] is False
    assert control(folder, do="delay", seconds="soon")["ok"] is False
    assert control(folder, do="delay", colour="red")["ok"] is False
    assert control(folder, do="delay", seconds=0.001)["ok"] is True


def test_a_second_server_on_the_same_socket_says_so(folder: Path) -> None:
    command = [sys.executable, "-m", "uvirtio", "serve", "rng", "--socket", folder / "s"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 3
    assert "another server listens" in done.stderr


def test_a_server_that_is_ended_removes_its_sockets_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    with served(tmp_path, "rng") as process:
        client = Client(tmp_path / "s")
        client.hello()
        process.terminate()
        assert client.socket.recv(1) == b""
        client.close()
        assert process.wait(5) == 0
    assert not (tmp_path / "s").exists()
    assert not (tmp_path / "c").exists()
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "s"))
    stale.close()
    with served(tmp_path, "rng", "--once") as process:
        client = Client(tmp_path / "s")
        client.hello()
        client.close()
        assert process.wait(5) == 0


@pytest.mark.parametrize("words", [["rng", "--profile", "x"], ["rng", "--set", "novalue"], ["toaster"]])
def test_a_server_that_makes_no_sense_is_refused(tmp_path: Path, words: list[str]) -> None:
    command = [sys.executable, "-m", "uvirtio", "serve", *words, "--socket", tmp_path / "s"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "s").exists()


def test_a_disk_resized_through_the_control_socket_while_suspended_notifies_on_resume(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    with served(tmp_path, "blk", "--set", f"image={image}"), connected(tmp_path) as client:
        (intx,) = client.eventfd(0)
        client.bring_up(43)
        client.write(4, 0x14, 1, 0x1F)
        assert until(lambda: client.read(4, 0x14, 1) == 0x1B)
        assert control(tmp_path, do="resize", sectors=4096) == {"ok": True}
        assert arrived(intx, 0.05) == 0
        assert client.read(4, 0x1000, 1) == 0
        client.write(4, 0x14, 1, 0x1F)
        assert arrived(intx) == 1
        assert client.read(4, 0x1000, 1) == 2
        assert client.read(4, 0x2000, 4) == 4096
        assert image.stat().st_size == 4096 * 512
        os.close(intx)


def test_a_key_struck_through_the_control_socket_arrives_at_once_while_running(tmp_path: Path) -> None:
    with served(tmp_path, "input"), connected(tmp_path) as client:
        client.bring_up()
        for _ in range(4):
            client.publish(8)
        client.kick()
        assert control(tmp_path, do="send_traffic", count=1, code=30) == {"ok": True}
        assert client.used() == 4
        assert struct.unpack_from("<HHI", client.memory, 0x10000) == (1, 30, 1)
