"""The host's end of the control channel: answers what guest tests ask for, one JSON line at a time.

The guest writes ``{"do": ACTION, ...}`` to a virtserialport and reads ``{"result": ...}`` or ``{"error": "..."}``.
`tests/vm/guest/host.py` is the other end.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Action", "ControlChannel"]

Action = Callable[..., Any]


class ControlChannel:
    """Listens on a socket that QEMU connects a virtserialport to, and serves it in a thread of its own."""

    def __init__(self, path: Path, actions: Mapping[str, Action]) -> None:
        self._actions = actions
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, name="control channel", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed under us: the guest is gone, or `close` was called
            self._connection, _ = self._listener.accept()
            with self._connection.makefile("rb") as lines:
                for line in lines:
                    self._connection.sendall(json.dumps(self._answer(line)).encode() + b"\n")

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            return {"result": self._actions[request.pop("do")](**request)}
        except Exception as error:  # whatever it was, the test in the guest is the one to tell
            return {"error": f"{type(error).__name__}: {error}"}

    def close(self) -> None:
        """Ends the thread; a guest that still asks gets no answer."""
        for end in (self._connection, self._listener):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._thread.join(timeout=10)
