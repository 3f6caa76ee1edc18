"""The peer of a console's port 0: a UNIX socket, which may read slowly, break, or hang up."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import CannotRun

if TYPE_CHECKING:
    from .loop import Loop

__all__ = ["CROWDED", "MOST", "Stream"]

#: Bytes that wait, each way of a port, before no more are asked for; and the most, where they come all the same.
CROWDED = 1 << 20
MOST = 16 << 20


class Stream:
    """Connected to ``path``. ``deliver`` gets what it says, as long as that ``has_room``; ``taken`` is told that it has
    read, ``gone`` that it has hung up or broken.

    Raises :class:`CannotRun` where nobody listens.
    """

    def __init__(
        self,
        path: str,
        *,
        taken: Callable[[], None],
        has_room: Callable[[], bool],
        deliver: Callable[[bytes], None],
        gone: Callable[[Exception], None],
    ) -> None:
        self._socket = _connect(path)
        self._taken = taken
        self._has_room = has_room
        self._deliver = deliver
        self._gone = gone
        self._outgoing = bytearray()
        self._loop: Loop | None = None
        self._heard: Callable[[], None] = lambda: None
        self._listening = (False, False)
        self._open = True

    @property
    def crowded(self) -> bool:
        """Whether so much waits to be read by it that no more should come."""
        return len(self._outgoing) >= CROWDED

    def send(self, data: bytes) -> None:
        """Bytes for it; lost where too many wait already."""
        if len(self._outgoing) + len(data) <= MOST:
            self._outgoing += data
        self.poll()

    def poll(self) -> None:
        """Move what can be moved now, either way. A peer that hangs up, or breaks, is forgotten."""
        if not self._open:
            return
        try:
            with contextlib.suppress(BlockingIOError):
                if self._outgoing:
                    del self._outgoing[: self._socket.send(self._outgoing)]
            if not self.crowded:
                self._taken()
            with contextlib.suppress(BlockingIOError):
                if self._has_room():
                    data = self._socket.recv(1 << 16)
                    self._deliver(data)
                    if not data:
                        raise ConnectionResetError("it has hung up")
        except OSError as error:
            self._lost(error)
        self.listen()

    def watch(self, loop: Loop, heard: Callable[[], None]) -> None:
        """Have ``heard`` called, which polls, when there is something to move."""
        self._loop, self._heard = loop, heard
        self.listen()

    def listen(self) -> None:
        """Hear of it: when it takes what waits for it; else when it says something, as long as that has a place."""
        if self._loop is None or not self._open:
            return
        wanted = bool(self._outgoing), self._has_room()
        if wanted != self._listening:
            self._listening = wanted
            self._loop.forget(self._socket)
            if any(wanted):
                self._loop.watch(self._socket, self._heard, self._lost)
                self._loop.await_room(self._socket, wanted[0], reading=wanted[1])

    def _lost(self, error: Exception) -> None:
        self.close()
        self._gone(error)

    def close(self) -> None:
        """Hang up; idempotent."""
        if self._open:
            self._open = False
            if self._loop is not None:
                self._loop.forget(self._socket)
            self._socket.close()
            self._outgoing.clear()


def _connect(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(path)
    except OSError as error:
        sock.close()
        raise CannotRun(f"cannot connect to {path}: {error.strerror}; start the peer first") from error
    sock.setblocking(False)
    return sock
