"""The control socket of a served device: one JSON object a line, each answered with one.

``{"do": "change_config", "capacity": 4096}`` fires a trigger, with the rest as its arguments; ``{"do": "state"}``
tells where the device stands. The answer is ``{"ok": true, ...}`` or ``{"ok": false, "error": "..."}``. It works
while the device is suspended as well.
"""

from __future__ import annotations

import contextlib
import json
import socket

from ..errors import UvirtioError
from ..foreign import parse_json
from .function import EmulatedFunction
from .loop import Loop
from .triggers import fire, names

__all__ = ["ControlServer"]

_LONGEST = 1 << 16


class ControlServer:
    """Accepts control connections on a listening socket."""

    def __init__(self, listener: socket.socket, function: EmulatedFunction, loop: Loop) -> None:
        self._listener = listener
        self._function = function
        self._loop = loop
        self._connections: dict[socket.socket, bytearray] = {}
        listener.setblocking(False)
        loop.watch(listener, self._accept)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            self._connections[connection] = bytearray()
            self._loop.watch(connection, lambda: self._ready(connection))

    def _ready(self, connection: socket.socket) -> None:
        buffer = self._connections[connection]
        try:
            data = connection.recv(4096)
            buffer += data
            while b"\n" in buffer:
                line, _, rest = bytes(buffer).partition(b"\n")
                buffer[:] = rest
                # An answer that does not fit the socket's buffer is from somebody who never reads: let it go.
                connection.send(json.dumps(self.answer(line)).encode() + b"\n")
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or len(buffer) > _LONGEST:
            self._drop(connection)

    def answer(self, line: bytes) -> dict[str, object]:
        """Carry out one request."""
        try:
            request = parse_json(line)
        except ValueError as error:
            return {"ok": False, "error": f"not JSON: {error}"}
        if not isinstance(request, dict) or not isinstance(request.get("do"), str):
            return {"ok": False, "error": 'a request looks like {"do": "state"}'}
        name = request.pop("do")
        if name == "available":
            return {"ok": True, "available": sorted(names(self._function))}
        try:
            result = fire(self._function, name, request)
        except UvirtioError as error:
            return {"ok": False, "error": str(error)}
        answer: dict[str, object] = {"ok": True}
        return answer | result if isinstance(result, dict) else answer

    def _drop(self, connection: socket.socket) -> None:
        self._loop.forget(connection)
        self._connections.pop(connection, None)
        connection.close()

    def close(self) -> None:
        """Close everything."""
        self._loop.forget(self._listener)
        self._listener.close()
        for connection in list(self._connections):
            self._drop(connection)
