"""A served device under attack: what a client, a user of the control socket or the machine does ends no server."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .flood import Flood, memory_of
from .served import ROOT, Client, control, served, until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("attacked")
    with served(path, "console", "--latency", "0.001"):
        yield path


def alive(folder: Path) -> bool:
    """Whether the next client is served."""
    with contextlib.closing(Client(folder / "s")) as client:
        client.hello()
        return client.read(4, 0x14, 1) == 0


def blocking_eventfd() -> int:
    fd = os.eventfd(0, 0)
    os.write(fd, (2**64 - 2).to_bytes(8, "little"))
    return fd


DESCRIPTORS: dict[str, Callable[[], int]] = {
    "a full eventfd that blocks": blocking_eventfd,
    "a directory": lambda: os.open("/", os.O_RDONLY),
    "a path": lambda: os.open("/", os.O_PATH),
    "read-only": lambda: os.open("/dev/null", os.O_RDONLY),
    "always readable": lambda: os.open("/dev/zero", os.O_RDWR),
    "a pipe": lambda: os.pipe()[1],
}


@pytest.mark.parametrize("flags", [0x24, 0x14], ids=["trigger", "unmask"])
@pytest.mark.parametrize("kind", DESCRIPTORS)
def test_no_descriptor_for_interrupts_holds_the_server_up(folder: Path, kind: str, flags: int) -> None:
    fd = DESCRIPTORS[kind]()
    with contextlib.closing(Client(folder / "s")) as client:
        client.hello()
        client.map_memory()
        with contextlib.suppress(OSError):
            client.call(8, struct.pack("=IIIII", 20, flags, 0, 0, 1), (fd,))
        client.bring_up()
        assert control(folder, do="change_config") == {"ok": True}, "which interrupts"
        assert client.read(4, 0x14, 1) == 0x0F
    assert alive(folder)
    os.close(fd)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 60000,
        b'{"do":"delay","seconds":' + b"9" * 400 + b"}",
        b'{"do":"change_config","cols":' + b"9" * 4000 + b"}",
        b'{"do":"send_traffic","data":"\\ud800"}',
        b'{"do":"\\ud800"}',
        b'{"do":"send_traffic","count":' + b"9" * 400 + b"}",
        b"\xff\xfe",
        b"",
    ],
    ids=["deep", "digits", "field", "surrogate", "name", "count", "bytes", "empty"],
)
def test_no_control_request_ends_the_server(folder: Path, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(folder / "c"))
        sock.sendall(line + b"\n")
        assert json.loads(sock.recv(1 << 16))["ok"] is False
    assert control(folder, do="state")["ok"] is True


def test_a_client_that_reads_no_answer_is_asked_for_no_more(folder: Path) -> None:
    with contextlib.closing(Client(folder / "s")) as client:
        client.hello()
        client.socket.setblocking(False)
        read = struct.pack("=HHIII", 1, 9, 32, 0, 0) + struct.pack("=QII", 0, 7, 256)
        with contextlib.suppress(BlockingIOError):
            while True:
                client.socket.send(read)
        assert control(folder, do="state")["ok"] is True
    assert alive(folder)


def test_sockets_are_their_owners_alone(folder: Path) -> None:
    assert {(folder / name).stat().st_mode & 0o777 for name in "sc"} == {0o600}


def test_a_server_without_a_descriptor_left_serves_on(tmp_path: Path) -> None:
    with served(tmp_path, "rng") as process, contextlib.ExitStack() as stack:
        used = len(os.listdir(f"/proc/{process.pid}/fd"))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used + 2, used + 2))
        for _ in range(6):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(tmp_path / "c"))
        stack.close()
        assert control(tmp_path, do="state")["ok"] is True
        assert alive(tmp_path)


@pytest.mark.parametrize("where", ["gone", "full"])
def test_a_server_whose_messages_and_log_go_nowhere_serves_on(tmp_path: Path, where: str) -> None:
    command = [
        sys.executable,
        "-P",
        "-c",
        f"import sys; sys.path[:0] = {sys.path!r}; from uvirtio_tools.cli import main; sys.exit(main())",
    ]
    command += ["serve", "rng", "--socket", str(tmp_path / "s"), "--log", "/dev/full"]  # fmt: skip
    reader, writer = os.pipe()
    if where == "gone":
        os.close(reader)
    else:
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(4096))
        os.set_blocking(writer, True)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=writer)
    try:
        os.close(writer)
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"serving")
        assert alive(tmp_path)
        assert alive(tmp_path)
        process.terminate()
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        if where == "full":
            os.close(reader)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_flooded_server_answers_registers_and_ends_when_told(tmp_path: Path, number: signal.Signals) -> None:
    with served(tmp_path, "blk", "--latency", "0.00001") as process:
        with Flood(tmp_path) as flood:
            assert until(lambda: flood.client.used() > 20)
            before = memory_of(process.pid)
            for _ in range(200):
                assert flood.client.read(4, 0x14, 1) == 0x0F
            assert control(tmp_path, do="state")["ok"] is True
            assert memory_of(process.pid) < before + (64 << 20)
            process.send_signal(number)
            assert process.wait(5) == (130 if number is signal.SIGINT else 0)
        assert b"Traceback" not in (tmp_path / "err").read_bytes()
