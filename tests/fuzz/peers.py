"""vfio-user messages from both sides: a client that our server meets, and a server that our client meets."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from uvirtio.bus.locator import parse
from uvirtio.bus.vfio_user.client import VfioUserClient
from uvirtio.bus.vfio_user.function import VfioUserFunction
from uvirtio.device import Device
from uvirtio.emulated.client_session import Session
from uvirtio.emulated.function import EmulatedFunction
from uvirtio.emulated.log import AccessLog
from uvirtio.emulated.loop import Loop
from uvirtio.emulated.memory import MappedMemory
from uvirtio.emulated.options import parse_options
from uvirtio.errors import UvirtioError
from uvirtio.vfio_user.channel import Channel
from uvirtio_drivers.rng import Rng
from uvirtio_tools.inspect.sources import describe_open

from .choices import Choices, odd

__all__ = ["client_of", "server_of"]

_HEADER = struct.Struct("=HHIII")
_PAGE = 0x1000
_ADDRESSES = (0, 0x1000, 0x2000, 0x1_0000_0000, (1 << 64) - _PAGE, (1 << 63))
_SIZES = (_PAGE, 2 * _PAGE, 0, 1, 16 * _PAGE, 1 << 32, (1 << 64) - 1)


# -- a client, before our server -----------------------------------------------------------------------------------


def server_of(data: bytes) -> None:
    """Everything that a client may send, and descriptors of all kinds. The session may end; nothing else may happen."""
    choose = Choices(data)
    ours, theirs = socket.socketpair()
    loop = Loop()
    memory = MappedMemory()
    log = AccessLog(loop, None)
    function = EmulatedFunction(parse_options(choose.choice(["rng", "blk"]), {}), loop, memory, log)
    session = Session(Channel(ours, "the client", timeout=0.05), function, memory, loop)
    files = [os.memfd_create("fuzz"), os.eventfd(0, os.EFD_NONBLOCK), os.open("/dev/null", os.O_RDWR)]
    os.ftruncate(files[0], 16 * _PAGE)
    theirs.setblocking(False)
    try:
        _send(theirs, 1, struct.pack("=HH", 0, choose.randrange(3)) + _version(choose), [])
        with contextlib.suppress(UvirtioError, BlockingIOError, BrokenPipeError):
            while choose.left:
                _one_request(choose, theirs, files)
                session.ready()
                with contextlib.suppress(BlockingIOError):
                    theirs.recv(1 << 16)
    finally:
        session.close()
        function.close()
        loop.close()
        theirs.close()
        for file in files:
            os.close(file)


def _send(sock: socket.socket, command: int, payload: bytes, fds: list[int], flags: int = 0, size: int = 0) -> None:
    header = _HEADER.pack(1, command, size or 16 + len(payload), flags, 0)
    socket.send_fds(sock, [header + payload], fds)


def _version(choose: Choices) -> bytes:
    kind = choose.randrange(8)
    if kind > 4:
        return b""
    if kind == 4:
        return choose.blob(64)
    name = choose.choice(["max_msg_fds", "max_data_xfer_size", "capabilities"])
    limits: Any = {name: odd(choose)} if kind else {"max_msg_fds": 8}
    return json.dumps({"capabilities": limits}).encode() + b"\0"


def _number(choose: Choices, usual: tuple[int, ...], width: int) -> int:
    return choose.getrandbits(8 * width) if choose.randrange(8) == 7 else choose.choice(usual)


def _one_request(choose: Choices, sock: socket.socket, files: list[int]) -> None:
    command = choose.choice([1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 8, 9, 9, 10, 10, 10, 11, 12, 13, 77])
    payload = _payload(choose, command)
    cut = choose.randrange(32)
    if cut == 31:
        payload = payload[: choose.randrange(len(payload) + 1)]
    fds = (
        [choose.choice(files) for _ in range(choose.choice([0, 0, 1, 1, 1, 2, 3, 16, 17]))] if command in (2, 8) else []
    )
    flags = choose.choice([0, 0, 0, 0, 0, 0, 0x10, 0x10, 1, 0x20, 0xFFFFFFFF])
    size = choose.choice([0] * 30 + [1, 1 << 31])
    _send(sock, command, payload, fds, flags, size)


def _payload(choose: Choices, command: int) -> bytes:
    argsz = _number(choose, (16, 20, 24, 32, 64), 4)
    if command == 2:
        offset = _number(choose, (0, 0, 0, _PAGE, 1), 8)
        where, size = _number(choose, _ADDRESSES, 8), _number(choose, _SIZES, 8)
        return struct.pack("=IIQQQ", argsz, _number(choose, (3, 1, 0, 7), 4), offset, where, size)
    if command == 3:
        where, size = _number(choose, _ADDRESSES, 8), _number(choose, _SIZES, 8)
        return struct.pack("=IIQQ", argsz, _number(choose, (0, 0, 0, 1, 2, 4), 4), where, size)
    if command == 8:
        flags = _number(choose, (0x24, 0x21, 0x11, 0x12, 0x0A, 0x09, 0x14, 0x22), 4)
        head = struct.pack("=III", argsz, flags, _number(choose, (0, 2, 0, 2, 1, 5), 4))
        return head + struct.pack("=II", _number(choose, (0, 0, 1), 4), _number(choose, (1, 2, 0), 4)) + choose.blob(2)
    if command in (9, 10):
        count = _number(choose, (1, 2, 4, 8, 64, 0), 4)
        where = struct.pack("=QII", _offset(choose), _number(choose, (4, 4, 7, 1, 0, 8), 4), count)
        return where + (choose.take(min(count, 64)) if command == 10 else b"")
    return struct.pack("=IIIIQQ", argsz, 0, choose.randrange(12), 0, 0, 0) if command != 1 else choose.blob(40)


def _offset(choose: Choices) -> int:
    return _number(
        choose, (0x14, 0x16, 0x00, 0x08, 0x0C, 0x18, 0x1C, 0x20, 0x28, 0x30, 0x3004, 0x1000, 0x2000, 4, 0x42), 8
    )


# -- a server, before our client -----------------------------------------------------------------------------------


class _Scripted:
    """The client's end of a connection to a server that answers by choice, in the same thread."""

    def __init__(self, choose: Choices) -> None:
        self._choose = choose
        self._answers = b""
        self._ready = os.eventfd(1)
        self._config = bytearray(256)
        struct.pack_into("<HHHH", self._config, 0, 0x1AF4, 0x1044, 0, 0x10)
        struct.pack_into("<I", self._config, 8, 0x00FF_0001)
        self._config[0x34] = 0x40
        struct.pack_into("<BBHII", self._config, 0x40, 0x11, 0x50, 3, 1, 0x801)
        for at, kind, offset in ((0x50, 1, 0), (0x60, 3, 0x1000), (0x70, 4, 0x2000)):
            struct.pack_into("<BBBBBBHII", self._config, at, 9, at + 16, 16, kind, 4, 0, 0, offset, 0x1000)
        struct.pack_into("<BBBBBBHIII", self._config, 0x80, 9, 0, 20, 2, 4, 0, 0, 0x3000, 0x1000, 4)
        self._registers: dict[int, int] = {0x12: 1, 0x18: 16}

    def setblocking(self, _: bool) -> None: ...

    def fileno(self) -> int:
        return self._ready

    def close(self) -> None:
        if self._ready >= 0:
            os.close(self._ready)
            self._ready = -1

    def sendmsg(self, buffers: list[memoryview], _ancillary: object = ()) -> int:
        data = b"".join(map(bytes, buffers))
        number, command, _, flags, _ = _HEADER.unpack_from(data)
        if not flags & 0xF:
            self._answers += self._script(number, command, data[16:])
        return len(data)

    def recvmsg(self, count: int, *_: int) -> tuple[bytes, list[Any], int, None]:
        piece, self._answers = self._answers[:count], self._answers[count:]
        return piece, [], 0, None  # nothing more: the server has closed the connection

    def _script(self, number: int, command: int, payload: bytes) -> bytes:
        choose, good = self._choose, self._good(command, payload)
        kind = choose.randrange(256)
        before = b"".join(self._command() for _ in range(choose.randrange(4))) if kind % 16 == 15 else b""
        if kind < 240:
            return before + _HEADER.pack(number, command, 16 + len(good), 1, 0) + good
        if kind < 244:
            return before + _HEADER.pack(number, command, 16, 0x21, choose.getrandbits(32))
        if kind < 250 and good:
            bad = bytearray(good)
            for _ in range(1 + choose.randrange(4)):
                bad[choose.randrange(len(bad))] = choose.getrandbits(8)
            return before + _HEADER.pack(number, command, 16 + len(bad), 1, 0) + bytes(bad)
        if kind < 253:
            bad_ = choose.blob(40)
            return before + _HEADER.pack(number, command, 16 + len(bad_), 1, 0) + bad_
        return before + choose.blob(48)

    def _command(self) -> bytes:
        choose = self._choose
        address, size = (
            0x2_4680_0000 + _number(choose, (0, 64, (4 << 20) - 8), 4),
            _number(choose, (8, 16, 0, 1 << 20), 4),
        )
        payload = struct.pack("=QQ", address, size) + choose.blob(16)
        return _HEADER.pack(choose.getrandbits(16), choose.choice([11, 12, 1, 13]), 16 + len(payload), 0, 0) + payload

    def _good(self, command: int, payload: bytes) -> bytes:
        answers: dict[int, Callable[[bytes], bytes]] = {
            1: lambda _: struct.pack("=HH", 0, 0) + _version(self._choose),
            3: lambda payload: payload,
            4: lambda _: struct.pack("=IIII", 16, 3, 9, 5),
            5: self._region,
            7: lambda payload: struct.pack("=IIII", 16, 7, payload[8], {0: 1, 2: 4}.get(payload[8], 0)),
            9: self._read,
            10: self._write,
        }
        return answers[command](payload) if command in answers else b""

    def _region(self, payload: bytes) -> bytes:
        number = struct.unpack_from("=I", payload, 8)[0]
        return struct.pack("=IIIIQQ", 32, 3, number, 0, {1: 0x1000, 4: 0x4000, 7: 256}.get(number, 0), 0)

    def _read(self, payload: bytes) -> bytes:
        offset, region, count = struct.unpack_from("=QII", payload)
        if region == 7:
            return payload[:16] + bytes(self._config[offset : offset + count])
        value = self._registers.get(offset, 0)
        if self._choose.randrange(8) == 7:
            value = self._choose.getrandbits(8 * count)
        elif offset == 0x04:
            value = 0xFFFFFFFF  # every feature
        return payload[:16] + (value & (1 << 8 * count) - 1).to_bytes(count, "little")

    def _write(self, payload: bytes) -> bytes:
        offset, region, count = struct.unpack_from("=QII", payload)
        if region == 7:
            self._config[offset : offset + count] = payload[16 : 16 + count]
        else:
            self._registers[offset] = int.from_bytes(payload[16 : 16 + count], "little")
        return payload[:16]


def client_of(data: bytes) -> None:
    """A look at a device whose server answers anything, then a bring-up and a request. Each ends with a named error."""
    choose = Choices(data)
    connection: Any = _Scripted(choose)
    try:
        with contextlib.suppress(UvirtioError):
            client = VfioUserClient("fuzz", 0.2, connection)
            with VfioUserFunction(parse("vfio-user:fuzz"), client, None) as function:
                describe_open(function)
                if choose.randrange(2):
                    function.line.wait(0.0)
                    function.open_vectors(1 + choose.randrange(4), events=True)
                with Device(function, timeout=0.02) as device:
                    device.initialise(Rng.FEATURES, Rng.queues(device))
                    Rng(device).read(16, timeout=0.01)
    finally:
        connection.close()
