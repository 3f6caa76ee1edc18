"""A served device in a process of its own, and a vfio-user client written down from the protocol's description."""

from __future__ import annotations

import array
import contextlib
import json
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.lab.leash import leashed

ROOT = Path(__file__).parents[2]
GUEST = 0x1_4000_0000
GUEST_SIZE = 1 << 20


@contextlib.contextmanager
def served(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """``uvirtio serve WORDS`` with its socket, control socket and log in ``folder``."""
    command = [sys.executable, "-m", "uvirtio", "serve", *words]
    command += ["--socket", folder / "s", "--control", folder / "c", "--log", folder / "log"]
    process = leashed(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=(folder / "err").open("wb"))
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(b"serving"), (folder / "err").read_text()
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        finally:
            process.kill()
            process.wait()


def log(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


def control(folder: Path, **request: object) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(folder / "c"))
        sock.sendall(json.dumps(request).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            answer += sock.recv(65536)
    document = json.loads(answer)
    assert isinstance(document, dict)
    return document


class Client:
    """One connection; every command waits for its reply."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.socket.connect(str(path))
        self.identifier = 0
        self.fd = os.memfd_create("guest")
        os.ftruncate(self.fd, GUEST_SIZE)
        self.memory = mmap.mmap(self.fd, GUEST_SIZE)

    def call(self, command: int, payload: bytes = b"", fds: tuple[int, ...] = (), *, no_reply: bool = False) -> bytes:
        """The payload of the reply; raises OSError with the number of an error reply."""
        self.identifier += 1
        header = struct.pack("=HHIII", self.identifier, command, 16 + len(payload), 0x10 if no_reply else 0, 0)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([header + payload], ancillary)
        if no_reply:
            return b""
        identifier, answered, size, flags, error = struct.unpack("=HHIII", self.exactly(16))
        assert (identifier, answered) == (self.identifier, command)
        assert flags & 0xF == 1
        body = self.exactly(size - 16)
        if flags & 0x20:
            raise OSError(error, os.strerror(error))
        return body

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def hello(self) -> dict[str, object]:
        body = self.call(1, struct.pack("=HH", 0, 0) + b'{"capabilities":{"max_msg_fds":8}}\0')
        assert body[:2] == b"\0\0"
        document = json.loads(body[4:].rstrip(b"\0"))
        assert isinstance(document, dict)
        return document

    def map_memory(self) -> None:
        self.call(2, struct.pack("=IIQQQ", 32, 3, 0, GUEST, GUEST_SIZE), (self.fd,))

    def read(self, region: int, offset: int, width: int) -> int:
        body = self.call(9, struct.pack("=QII", offset, region, width))
        assert struct.unpack_from("=QII", body) == (offset, region, width)
        return int.from_bytes(body[16:], "little")

    def write(self, region: int, offset: int, width: int, value: int, *, posted: bool = False) -> None:
        payload = struct.pack("=QII", offset, region, width) + value.to_bytes(width, "little")
        self.call(10, payload, no_reply=posted)

    def eventfd(self, kind: int, *, count: int = 1) -> list[int]:
        """Install eventfds for an interrupt type."""
        fds = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(count)]
        self.call(8, struct.pack("=IIIII", 20, 0x24, kind, 0, count), tuple(fds))
        return fds

    def unmask(self) -> None:
        self.call(8, struct.pack("=IIIII", 20, 0x11, 0, 0, 1))

    def bring_up(self, *bits: int) -> None:
        """Initialise a device with one split queue of 16 entries at the start of guest memory."""
        self.write(7, 4, 2, 0x0406 & ~0x0400)
        for value in (0, 1, 3):
            self.write(4, 0x14, 1, value)
        mask = 1 << 32 | sum(1 << bit for bit in bits)
        for half in (0, 1):
            self.write(4, 0x08, 4, half)
            self.write(4, 0x0C, 4, mask >> 32 * half & 0xFFFFFFFF)
        self.write(4, 0x14, 1, 0x0B)
        assert self.read(4, 0x14, 1) == 0x0B
        self.write(4, 0x16, 2, 0)
        self.write(4, 0x18, 2, 16)
        self.notify = 0x3000 + 4 * self.read(4, 0x1E, 2)
        for register, offset in ((0x20, 0), (0x28, 0x1000), (0x30, 0x2000)):
            self.write(4, register, 4, (GUEST + offset) & 0xFFFFFFFF)
            self.write(4, register + 4, 4, (GUEST + offset) >> 32)
        self.memory[0:0x3000] = bytes(0x3000)
        self.write(4, 0x1C, 2, 1)
        self.write(4, 0x14, 1, 0x0F)
        self.index = 0

    def publish(self, size: int = 64) -> None:
        slot = self.index % 16
        struct.pack_into("<QIHH", self.memory, 16 * slot, GUEST + 0x10000 + 0x1000 * slot, size, 2, 0)
        struct.pack_into("<H", self.memory, 0x1004 + 2 * slot, slot)
        self.index += 1
        struct.pack_into("<H", self.memory, 0x1002, self.index & 0xFFFF)

    def kick(self) -> None:
        self.write(4, self.notify, 2, 0, posted=True)

    def used(self) -> int:
        return int.from_bytes(self.memory[0x2002:0x2004], "little")

    def close(self) -> None:
        self.socket.close()
        self.memory.close()
        os.close(self.fd)


def arrived(fd: int, seconds: float = 5.0) -> int:
    """What an eventfd counts, 0 when nothing came in time."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return int.from_bytes(os.read(fd, 8), "little") if poller.poll(seconds * 1000) else 0


def until(condition: object, seconds: float = 5.0) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True
