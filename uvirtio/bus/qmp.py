"""QEMU's monitor protocol (QMP), synchronous: one command at a time, and waiting for an event.

Answers are told apart by their id, so that a command that was interrupted leaves nothing behind for the next one.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from itertools import count
from typing import Any

from ..errors import CannotRun, QemuDied
from .lines import LineSocket

__all__ = ["Qmp", "QmpError"]


class QmpError(CannotRun):
    """QEMU refused a command. ``kind`` is its error class, the message holds its own words."""

    def __init__(self, command: str, kind: str, description: str) -> None:
        super().__init__(f"QEMU refuses {command}: {description}")
        self.kind = kind


class Qmp:
    """A negotiated QMP connection. ``timeout`` in seconds bounds each command.

    Raises :class:`QemuDied` when QEMU closes it or does not answer in time.
    """

    def __init__(self, connection: socket.socket, timeout: float = 10.0) -> None:
        self._lines = LineSocket(connection)
        self._timeout = timeout
        self._ids = count(1)
        self._events: list[dict[str, Any]] = []
        greeting = self._receive("its greeting", time.monotonic() + timeout)
        if "QMP" not in greeting:
            raise CannotRun(f"this is no QMP socket: it greets with {json.dumps(greeting)[:200]}")
        self._version: dict[str, Any] = greeting["QMP"].get("version", {})
        self.execute("qmp_capabilities")

    @property
    def version(self) -> tuple[int, int, int]:
        """QEMU's version: major, minor, micro."""
        numbers = self._version.get("qemu", {})
        return numbers.get("major", 0), numbers.get("minor", 0), numbers.get("micro", 0)

    @property
    def package(self) -> str:
        """What the distribution calls its build; often empty."""
        return str(self._version.get("package", "")).strip(" ()")

    def execute(self, command: str, arguments: Mapping[str, object] | None = None, timeout: float | None = None) -> Any:
        """Run one command and give what it returns. Raises :class:`QmpError` with QEMU's own words."""
        number = next(self._ids)
        message: dict[str, object] = {"execute": command, "id": number}
        if arguments:
            message["arguments"] = dict(arguments)
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        try:
            self._lines.send(json.dumps(message), self._timeout)
        except (EOFError, TimeoutError):
            raise QemuDied(f"QEMU does not take the monitor command {command} any more") from None
        while True:
            answer = self._receive(f"the answer to {command}", deadline)
            if "event" in answer:
                self._events.append(answer)
            elif answer.get("id") == number:
                if "error" in answer:
                    error = answer["error"]
                    raise QmpError(command, str(error.get("class", "")), str(error.get("desc", error)))
                return answer.get("return")

    def event(self, name: str, timeout: float, **data: object) -> dict[str, Any]:
        """The data of the first event of this name whose data hold these entries; taken out of those that came.

        Raises :class:`TimeoutError` when none comes within ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            for position, event in enumerate(self._events):
                found: dict[str, Any] = event.get("data", {})
                if event["event"] == name and data.items() <= found.items():
                    del self._events[position]
                    return found
            answer = self._receive(f"event {name}", deadline, late=TimeoutError(f"no {name} within {timeout:g} s"))
            if "event" in answer:
                self._events.append(answer)

    def _receive(self, what: str, deadline: float, late: Exception | None = None) -> dict[str, Any]:
        try:
            line = self._lines.receive(max(deadline - time.monotonic(), 0.0))
        except TimeoutError:
            raise late or QemuDied(f"QEMU's monitor did not send {what} in time") from None
        except EOFError:
            raise QemuDied(f"QEMU closed its monitor before it sent {what}") from None
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise CannotRun(f"this is no QMP socket: instead of {what} it sent {line[:200]!r}")
        return answer

    def close(self) -> None:
        """Close the connection; QEMU runs on."""
        self._lines.close()
