"""QEMU's monitor protocol, as much of it as the tests need: one command at a time, and waiting for an event."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

__all__ = ["Qmp", "QmpError"]


class QmpError(Exception):
    """QEMU answered with an error, or not in time."""


class Qmp:
    """A connection to a QMP socket, negotiated and ready."""

    def __init__(self, path: Path, timeout: float = 10.0) -> None:
        self._timeout = timeout
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._events: list[dict[str, Any]] = []
        self._read()  # the greeting
        self.command("qmp_capabilities")

    def _read(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise QmpError("QEMU closed its monitor")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def command(self, execute: str, **arguments: Any) -> Any:
        """Runs one command and returns what it returns; events that come meanwhile are kept for `event`."""
        message = json.dumps({"execute": execute, "arguments": arguments})
        self._socket.sendall(message.encode() + b"\n")
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise QmpError(f"{execute}: {answer['error']['desc']}")
            self._events.append(answer)

    def event(self, name: str, **data: Any) -> dict[str, Any]:
        """The first event of this name whose data has these entries; QmpError when it does not come in time."""
        deadline = time.monotonic() + self._timeout
        while True:
            for number, event in enumerate(self._events):
                if event.get("event") == name and data.items() <= event.get("data", {}).items():
                    return self._events.pop(number)
            if time.monotonic() > deadline:
                raise QmpError(f"no {name} {data} within {self._timeout:.0f} s")
            try:
                self._events.append(self._read())
            except TimeoutError:
                raise QmpError(f"no {name} {data} within {self._timeout:.0f} s") from None

    def close(self) -> None:
        """Closes the connection; QEMU runs on."""
        self._lines.close()
        self._socket.close()
