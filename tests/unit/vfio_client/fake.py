"""A vfio-user server of which a test decides every answer. Written from the layouts, not with the project's own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

HEADER = struct.Struct("=HHIII")
VERSION, DMA_MAP, DMA_UNMAP, GET_INFO, GET_REGION, GET_IRQ, SET_IRQS, READ, WRITE = 1, 2, 3, 4, 5, 7, 8, 9, 10


class Close(Exception):
    """Close the connection instead of answering."""


class FakeServer:
    """Serves one client in a thread. ``handlers[command](payload)`` gives an answer's payload, an errno, or raises Close.

    ``raw(number, command)`` may give bytes to send instead of a proper answer. ``received``: (command, payload) pairs;
    ``replies`` and ``answers``: headers and payloads of what the client answered to our own commands. ``registers``: what
    others than 0x5a read in BAR 4, by offset. ``delay``: seconds before each answer.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.received: list[tuple[int, bytes]] = []
        self.replies: list[tuple[int, ...]] = []
        self.answers: list[bytes] = []
        self.registers: dict[int, int] = {}
        self.delay = 0.0
        self.descriptors: list[int] = []
        self.config = bytearray(256)
        struct.pack_into("<HH", self.config, 0, 0x1AF4, 0x1044)
        self.sizes = {4: 0x1000, 7: 256}
        self.irqs = {0: 1, 2: 4}
        self.raw: Callable[[int, int], bytes | None] = lambda number, command: None
        self.handlers: dict[int, Callable[[bytes], bytes | int]] = {
            VERSION: lambda _: (
                struct.pack("=HH", 0, 0) + json.dumps({"capabilities": {"max_msg_fds": 8}}).encode() + b"\0"
            ),
            DMA_MAP: lambda _: b"",
            DMA_UNMAP: lambda payload: payload,
            GET_INFO: lambda _: struct.pack("=IIII", 16, 3, 9, 5),
            GET_REGION: self._region,
            GET_IRQ: self._irq,
            SET_IRQS: lambda _: b"",
            READ: self._read,
            WRITE: self._write,
        }
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _region(self, payload: bytes) -> bytes:
        number = struct.unpack_from("=I", payload, 8)[0]
        return struct.pack("=IIIIQQ", 32, 3, number, 0, self.sizes.get(number, 0), 0)

    def _irq(self, payload: bytes) -> bytes:
        kind = struct.unpack_from("=I", payload, 8)[0]
        return struct.pack("=IIII", 16, 7, kind, self.irqs.get(kind, 0))

    def _read(self, payload: bytes) -> bytes:
        offset, region, count = struct.unpack_from("=QII", payload)
        data = self.config[offset : offset + count] if region == 7 else bytes([0x5A]) * count
        if region == 4 and offset in self.registers:
            data = self.registers[offset].to_bytes(count, "little")
        return payload[:16] + data

    def _write(self, payload: bytes) -> bytes:
        offset, region, count = struct.unpack_from("=QII", payload)
        if region == 7:
            self.config[offset : offset + count] = payload[16 : 16 + count]
        return payload[:16]

    def _exactly(self, connection: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece, descriptors, _, _ = socket.recv_fds(connection, count - len(data), 8)
            self.descriptors += descriptors
            if not piece:
                raise Close
            data += piece
        return data

    def _serve(self) -> None:
        with self._listener:
            self.connection = connection = self._listener.accept()[0]
        with connection, contextlib.suppress(Close, ConnectionError):
            while True:
                number, command, size, flags, _ = HEADER.unpack(self._exactly(connection, 16))
                payload = self._exactly(connection, size - 16)
                if flags & 0xF:
                    self.replies.append((number, command, flags))
                    self.answers.append(payload)
                    continue
                self.received.append((command, payload))
                time.sleep(self.delay)
                raw = self.raw(number, command)
                if raw is not None:
                    connection.sendall(raw)
                    continue
                answer = self.handlers[command](payload)
                if isinstance(answer, int):
                    connection.sendall(HEADER.pack(number, command, 16, 0x21, answer))
                else:
                    connection.sendall(HEADER.pack(number, command, 16 + len(answer), 1, 0) + answer)

    def of(self, command: int) -> list[bytes]:
        """The payloads of a command, in the order in which they came."""
        return [payload for kind, payload in self.received if kind == command]

    def join(self) -> None:
        """Wait until the client is gone."""
        self._thread.join(5)
        assert not self._thread.is_alive()
        for descriptor in self.descriptors:
            os.close(descriptor)
