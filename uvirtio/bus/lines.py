"""Lines of text over a connected socket, every read bounded by a deadline. qtest and QMP speak this way."""

from __future__ import annotations

import socket
import time
from collections import deque

__all__ = ["LineSocket"]

#: Bytes of a line; the longest that QMP or qtest send us are a few megabytes.
_LONGEST = 1 << 26


class LineSocket:
    """Sends lines and receives them. A peer that closed is :class:`EOFError`, one that is late :class:`TimeoutError`."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        #: Whole lines that have come in, and the pieces of one that has not come in completely.
        self._lines: deque[bytes] = deque()
        self._pieces: list[bytes] = []
        self._length = 0

    def send(self, line: str, timeout: float) -> None:
        """Send one line within ``timeout`` seconds."""
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(line.encode() + b"\n")
        except (BrokenPipeError, ConnectionError) as error:
            raise EOFError("the other side closed the connection") from error

    def receive(self, timeout: float) -> str:
        """The next line, without its end, within ``timeout`` seconds; 0 takes what has already arrived."""
        if not self._lines:
            self._fill(time.monotonic() + timeout)
        return self._lines.popleft().decode(errors="replace").rstrip("\r")

    def _fill(self, deadline: float) -> None:
        """Read until there is a line: all pieces share one deadline, after which one more is looked for."""
        while not self._lines:
            left = deadline - time.monotonic()
            self._take(self._piece(max(left, 0.0)))
            if left <= 0 and not self._lines:
                raise TimeoutError

    def _piece(self, timeout: float) -> bytes:
        try:
            self._socket.settimeout(timeout)
            piece = self._socket.recv(1 << 20)
        except BlockingIOError:
            raise TimeoutError from None
        except ConnectionError:
            piece = b""
        if not piece:
            raise EOFError("the other side closed the connection")
        return piece

    def _take(self, piece: bytes) -> None:
        *whole, rest = piece.split(b"\n")
        if whole:
            self._lines.append(b"".join((*self._pieces, whole[0])))
            self._lines.extend(whole[1:])
            self._pieces, self._length = [], 0
        self._pieces.append(rest)
        self._length += len(rest)
        if self._length > _LONGEST:
            raise EOFError(f"the other side sent a line of more than {_LONGEST} bytes")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
