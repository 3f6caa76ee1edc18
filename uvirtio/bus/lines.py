"""Lines of text over a connected socket, every read bounded by a deadline. qtest and QMP speak this way."""

from __future__ import annotations

import socket
import time

__all__ = ["LineSocket"]


class LineSocket:
    """Sends lines and receives them. A peer that closed is :class:`EOFError`, one that is late :class:`TimeoutError`."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = b""

    def send(self, line: str, timeout: float) -> None:
        """Send one line within ``timeout`` seconds."""
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(line.encode() + b"\n")
        except (BrokenPipeError, ConnectionError) as error:
            raise EOFError("the other side closed the connection") from error

    def receive(self, timeout: float) -> str:
        """The next line, without its end, within ``timeout`` seconds; 0 takes what has already arrived."""
        while True:
            line, newline, rest = self._buffer.partition(b"\n")
            if newline:
                self._buffer = rest
                return line.decode(errors="replace").rstrip("\r")
            self._fill(timeout)

    def _fill(self, timeout: float) -> None:
        """Read until there is a line: several pieces share one deadline."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self._socket.settimeout(max(deadline - time.monotonic(), 0.0))
                piece = self._socket.recv(65536)
            except BlockingIOError:
                raise TimeoutError from None
            except ConnectionError:
                piece = b""
            if not piece:
                raise EOFError("the other side closed the connection")
            self._buffer += piece
            if b"\n" in piece:
                return

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
