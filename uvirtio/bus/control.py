"""Triggers through the control socket of a served device: one JSON object a line, each answered with one."""

from __future__ import annotations

import json
import os
import socket
import time

from ..errors import CannotRun
from ..foreign import parse_json
from .lines import LineSocket

__all__ = ["ControlTriggers"]


#: Between two looks for a server that is to come (s).
_NAP = 0.02


class ControlTriggers:
    """See :class:`~uvirtio.bus.Triggers`. ``timeout`` in seconds bounds each request.

    Raises :class:`CannotRun` when nobody listens at ``path``, does not answer, or answers with an error.
    """

    def __init__(self, path: str, timeout: float = 10.0) -> None:
        self._path = path
        self._timeout = timeout
        self._lines = LineSocket(self._connected())
        try:
            self._names = frozenset(map(str, self._names_of(self.ask("available"))))
        except BaseException:
            self.close()
            raise

    def _connected(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self._timeout)
            connection.connect(os.path.expanduser(self._path))
        except OSError as error:
            connection.close()
            raise CannotRun(
                f"no control socket at {self._path}: {error.strerror or error}; start the server with --control {self._path}"
            ) from error
        return connection

    def reopen(self, seconds: float) -> None:
        """Go on with the server that listens at the same path within so many seconds. Raises :class:`CannotRun`."""
        self._lines.close()
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._lines = LineSocket(self._connected())
                return
            except CannotRun:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_NAP)

    @staticmethod
    def _names_of(answer: dict[str, object]) -> list[object]:
        names = answer.get("available")
        return names if isinstance(names, list) else []

    def available(self) -> frozenset[str]:
        """What the server says that it can be asked for."""
        return self._names

    def fire(self, name: str, **arguments: object) -> None:
        """Ask for it; the server has done it when this returns."""
        self.ask(name, **arguments)

    def ask(self, name: str, **arguments: object) -> dict[str, object]:
        """Ask, and give the whole answer. Bytes among the arguments travel as hexadecimal digits."""
        plain = {key: value.hex() if isinstance(value, bytes) else value for key, value in arguments.items()}
        try:
            self._lines.send(json.dumps({**plain, "do": name}), self._timeout)
            line = self._lines.receive(self._timeout)
        except TimeoutError:
            raise CannotRun(f"the control socket {self._path} did not answer {name!r} in {self._timeout:g} s") from None
        except EOFError:
            raise CannotRun(f"the control socket {self._path} was closed; its server has ended") from None
        try:
            answer = parse_json(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise CannotRun(f"{self._path} is no control socket: it answers {line[:200]!r}")
        if answer.get("ok") is not True:
            raise CannotRun(f"the server refuses {name!r}: {answer.get('error', line[:200])}")
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._lines.close()
