"""Who is at the other end of an emulated network device's wire."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ..errors import CannotRun, LocatorError

if TYPE_CHECKING:
    from .loop import Loop

__all__ = ["DatagramPeer", "EchoPeer", "Peer", "Responder", "SinkPeer", "StreamPeer", "make_peer"]

#: Bytes of a frame; bytes that wait for a peer that does not read; what is taken in at once.
_LONGEST = 1 << 17
_WAITING = 1 << 20
_BATCH = 16


class Peer(Protocol):
    """Takes frames, and gives frames through ``deliver``, which the device sets."""

    deliver: Callable[[bytes], None]

    def send(self, frame: bytes) -> None:
        """A frame that the driver transmitted."""

    def poll(self) -> None:
        """Take in what has arrived from outside, without waiting."""

    def watch(self, loop: Loop, gone: Callable[[Exception], None]) -> None:
        """Let :meth:`poll` be called when something comes from outside; ``gone`` is told when nothing will any more."""

    def close(self) -> None:
        """Hang up."""


class SinkPeer:
    """Takes everything and says nothing."""

    def __init__(self) -> None:
        self.deliver: Callable[[bytes], None] = lambda frame: None

    def send(self, frame: bytes) -> None:
        """See :class:`Peer`."""

    def poll(self) -> None:
        """See :class:`Peer`."""

    def watch(self, loop: Loop, gone: Callable[[Exception], None]) -> None:
        """See :class:`Peer`."""

    def close(self) -> None:
        """See :class:`Peer`."""


class EchoPeer(SinkPeer):
    """Sends every frame back as it came. The device queues them, so none is dropped."""

    def send(self, frame: bytes) -> None:
        """See :class:`Peer`."""
        self.deliver(frame)


class Responder(SinkPeer):
    """A station that answers ARP for every address but the asker's, and ICMP echo requests: enough for ping."""

    MAC = b"\x52\x54\x00\x75\x76\x02"

    def send(self, frame: bytes) -> None:
        """See :class:`Peer`."""
        if len(frame) < 14:
            return
        kind = frame[12:14]
        if kind == b"\x08\x06" and len(frame) >= 42 and frame[20:22] == b"\0\1":
            sender, wanted = frame[22:32], frame[38:42]
            if sender[6:] != wanted:
                self._answer(frame[6:12], kind + frame[14:20] + b"\0\2" + self.MAC + wanted + sender)
        elif kind == b"\x08\x00" and len(frame) >= 42:
            self._answer_ip(frame)

    def _answer(self, destination: bytes, rest: bytes) -> None:
        self.deliver((destination + self.MAC + rest).ljust(60, b"\0"))

    def _answer_ip(self, frame: bytes) -> None:
        header = (frame[14] & 0xF) * 4
        length = int.from_bytes(frame[16:18], "big")
        packet = frame[14 : 14 + length]
        if header < 20 or len(packet) < header + 8 or packet[9] != 1 or packet[header] != 8:
            return
        ip = packet[:12] + packet[16:20] + packet[12:16] + packet[20:header]
        echo = b"\0\0\0\0" + packet[header + 4 :]
        echo = echo[:2] + _checksum(echo).to_bytes(2, "big") + echo[4:]
        self._answer(frame[6:12], frame[12:14] + ip + echo)


def _checksum(data: bytes) -> int:
    total: int = sum(word for (word,) in struct.iter_unpack(">H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class DatagramPeer(SinkPeer):
    """A UNIX datagram socket at ``local`` that talks to the one at ``remote``: one datagram a frame."""

    def __init__(self, local: str, remote: str) -> None:
        super().__init__()
        self._local, self._remote = local, remote
        self._loop: Loop | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.bind(local)
        except OSError as error:
            self._socket.close()
            raise CannotRun(f"cannot bind the socket {local}: {error.strerror}; choose another path") from error
        self._socket.setblocking(False)

    def send(self, frame: bytes) -> None:
        """See :class:`Peer`: a wire loses what nobody takes."""
        with contextlib.suppress(OSError):
            self._socket.sendto(frame, self._remote)

    def poll(self) -> None:
        """See :class:`Peer`."""
        with contextlib.suppress(OSError):
            for _ in range(_BATCH):
                self.deliver(self._socket.recv(_LONGEST))

    def watch(self, loop: Loop, gone: Callable[[Exception], None]) -> None:
        """See :class:`Peer`."""
        self._loop = loop
        loop.watch(self._socket, self.poll, gone)

    def close(self) -> None:
        """See :class:`Peer`."""
        if self._loop is not None:
            self._loop.forget(self._socket)
        self._socket.close()
        with contextlib.suppress(OSError):
            os.unlink(self._local)


class StreamPeer(SinkPeer):
    """A UNIX stream socket to connect to; four bytes of length (big-endian) before each frame, as QEMU does it."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise CannotRun(f"cannot connect to {path}: {error.strerror}; start the peer first") from error
        self._socket.setblocking(False)
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._loop: Loop | None = None
        self._gone: Callable[[Exception], None] = lambda error: None
        self._waits = False

    def send(self, frame: bytes) -> None:
        """See :class:`Peer`: what does not fit now goes first next time; a wire loses what nobody takes."""
        if len(self._outgoing) < _WAITING:
            self._outgoing += len(frame).to_bytes(4, "big") + frame
        self._attempt(self._flush)

    def poll(self) -> None:
        """See :class:`Peer`."""
        self._attempt(self._flush)
        self._attempt(self._receive)

    def _attempt(self, step: Callable[[], None]) -> None:
        """A peer that hangs up, or breaks, is forgotten: the wire is cut."""
        if self._socket.fileno() < 0:
            return
        try:
            with contextlib.suppress(BlockingIOError):
                step()
        except (OSError, ValueError) as error:
            self.close()
            self._gone(error)

    def _flush(self) -> None:
        try:
            if self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing)]
        finally:
            if self._loop is not None and self._waits is not bool(self._outgoing):
                self._waits = bool(self._outgoing)
                self._loop.await_room(self._socket, self._waits, reading=True)

    def _receive(self) -> None:
        for _ in range(_BATCH):
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionResetError("it has hung up")
            self._incoming += data
            while len(self._incoming) >= 4:
                length = int.from_bytes(self._incoming[:4], "big")
                if length > _LONGEST:
                    raise ValueError(f"a frame of {length} bytes")
                if len(self._incoming) < 4 + length:
                    break
                frame = bytes(self._incoming[4 : 4 + length])
                del self._incoming[: 4 + length]
                self.deliver(frame)

    def watch(self, loop: Loop, gone: Callable[[Exception], None]) -> None:
        """See :class:`Peer`."""
        self._loop, self._gone = loop, gone
        loop.watch(self._socket, self.poll, gone)

    def close(self) -> None:
        """See :class:`Peer`."""
        if self._loop is not None:
            self._loop.forget(self._socket)
        self._outgoing.clear()
        self._incoming.clear()
        self._socket.close()


def make_peer(text: str, *, dry: bool = False) -> Peer:
    """``echo``, ``sink``, ``responder``, ``stream:PATH`` or ``dgram:LOCAL,REMOTE``. Raises LocatorError, CannotRun.

    ``dry`` only checks the text.
    """
    simple: dict[str, type[SinkPeer]] = {"echo": EchoPeer, "sink": SinkPeer, "responder": Responder}
    if text in simple:
        return simple[text]()
    kind, _, rest = text.partition(":")
    local, _, remote = rest.partition(",")
    if kind == "stream" and rest:
        return SinkPeer() if dry else StreamPeer(rest)
    if kind == "dgram" and local and remote:
        return SinkPeer() if dry else DatagramPeer(local, remote)
    raise LocatorError(f"peer={text}: there are echo, sink, responder, stream:PATH and dgram:LOCAL,REMOTE")
