"""The control socket of a served device: one JSON object a line, each answered with one.

``{"do": "change_config", "capacity": 4096}`` fires a trigger, with the rest as its arguments; ``{"do": "state"}``
tells where the device stands. The answer is ``{"ok": true, ...}`` or ``{"ok": false, "error": "..."}``. It works
while the device is suspended as well.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

from ..errors import UvirtioError
from ..foreign import parse_json
from .function import EmulatedFunction
from .listener import Listener
from .loop import Loop
from .triggers import fire, names

__all__ = ["ControlServer"]

#: Bytes of a request, and connections at once; more wait until one is gone.
_LONGEST = 1 << 16
_CONNECTIONS = 32


class ControlServer:
    """Accepts control connections at a listener."""

    def __init__(self, listener: Listener, function: EmulatedFunction, loop: Loop) -> None:
        self._listener = listener
        self.function = function
        #: What the server itself can be asked for.
        self.verbs: dict[str, Callable[[], None]] = {}
        self._loop = loop
        self._connections: dict[socket.socket, bytearray] = {}
        listener.watch(loop, self._accept)

    def _accept(self, connection: socket.socket) -> None:
        self._connections[connection] = bytearray()
        self._loop.watch(connection, lambda: self._ready(connection), lambda error: self._drop(connection))
        if len(self._connections) >= _CONNECTIONS:
            self._listener.pause()

    def _ready(self, connection: socket.socket) -> None:
        buffer = self._connections[connection]
        if b"\n" not in buffer:
            try:
                data = connection.recv(4096)
            except BlockingIOError:
                return
            buffer += data
            if not data or len(buffer) > _LONGEST:
                self._drop(connection)
                return
        while (end := buffer.find(b"\n")) >= 0:
            if self._loop.turn_over():
                self._loop.again(connection)
                return
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            answer = json.dumps(self.answer(line)).encode() + b"\n"
            # An answer that does not fit the socket's buffer is for somebody who never reads: let it go.
            if connection.send(answer) < len(answer):
                self._drop(connection)
                return

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
            return {"ok": True, "available": sorted({*names(self.function), *self.verbs})}
        verb = self.verbs.get(name)
        try:
            if verb is not None and not request.keys() - {"seconds"}:
                verb()  # how long a device is away is its client's to say
                return {"ok": True}
            result = fire(self.function, name, request)
        except UvirtioError as error:
            return {"ok": False, "error": str(error)}
        answer: dict[str, object] = {"ok": True}
        return answer | result if isinstance(result, dict) else answer

    def _drop(self, connection: socket.socket) -> None:
        self._loop.forget(connection)
        self._connections.pop(connection, None)
        connection.close()
        self._listener.watch(self._loop, self._accept)

    def stop_listening(self) -> None:
        """Nobody new is let in."""
        self._listener.close()

    def close(self) -> None:
        """Close everything."""
        for connection in list(self._connections):
            self._drop(connection)
        self._listener.close()
