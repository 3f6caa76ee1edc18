"""Who is at the other end of an emulated network device's wire."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable
from typing import Protocol

from ..errors import CannotRun, LocatorError

__all__ = ["DatagramPeer", "EchoPeer", "Peer", "Responder", "SinkPeer", "StreamPeer", "make_peer"]

_LONGEST = 1 << 17


class Peer(Protocol):
    """Takes frames, and gives frames through ``deliver``, which the device sets."""

    deliver: Callable[[bytes], None]

    def send(self, frame: bytes) -> None:
        """A frame that the driver transmitted."""

    def poll(self) -> None:
        """Take in what has arrived from outside, without waiting."""

    def fileno(self) -> int:
        """What to watch for :meth:`poll`; -1 where nothing comes from outside."""

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

    def fileno(self) -> int:
        """See :class:`Peer`."""
        return -1

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
        if len(packet) < header + 8 or packet[9] != 1 or packet[header] != 8:
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
            while True:
                self.deliver(self._socket.recv(_LONGEST))

    def fileno(self) -> int:
        """See :class:`Peer`."""
        return self._socket.fileno()

    def close(self) -> None:
        """See :class:`Peer`."""
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

    def send(self, frame: bytes) -> None:
        """See :class:`Peer`: what does not fit now goes first next time."""
        self._outgoing += len(frame).to_bytes(4, "big") + frame
        with contextlib.suppress(OSError):
            del self._outgoing[: self._socket.send(self._outgoing)]

    def poll(self) -> None:
        """See :class:`Peer`."""
        with contextlib.suppress(OSError):
            if self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing)]
        with contextlib.suppress(OSError):
            while data := self._socket.recv(_LONGEST):
                self._incoming += data
        while len(self._incoming) >= 4:
            length = int.from_bytes(self._incoming[:4], "big")
            if len(self._incoming) < 4 + length:
                return
            frame = bytes(self._incoming[4 : 4 + length])
            del self._incoming[: 4 + length]
            self.deliver(frame)

    def fileno(self) -> int:
        """See :class:`Peer`."""
        return self._socket.fileno()

    def close(self) -> None:
        """See :class:`Peer`."""
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
