"""The guest's end of the control channel: how a guest test asks the host to do something."""

from __future__ import annotations

import json
import os
import select
import time
from pathlib import Path
from typing import Any

__all__ = ["Host", "HostError"]

_PORT = Path("/dev/virtio-ports/uvirtio.host")


class HostError(Exception):
    """The host could not do what was asked, or did not answer in time."""


class Host:
    """Asks the host, and waits for each answer. The port is open only meanwhile, as it can be opened but once."""

    def __init__(self, timeout: float = 30.0) -> None:
        self._timeout = timeout

    def ask(self, do: str, **arguments: Any) -> Any:
        """Has the host do something by the name of its action, and returns the result."""
        request = json.dumps({"do": do, **arguments}).encode() + b"\n"
        deadline = time.monotonic() + self._timeout
        port = os.open(_PORT, os.O_RDWR | os.O_NONBLOCK)
        try:
            while request:
                select.select([], [port], [], max(0.0, deadline - time.monotonic()))
                if time.monotonic() > deadline:
                    raise HostError(f"the host does not take {do!r}")
                request = request[os.write(port, request) :]
            answer = json.loads(self._line(port, do, deadline))
        finally:
            os.close(port)
        if "error" in answer:
            raise HostError(f"{do}: {answer['error']}")
        return answer["result"]

    def _line(self, port: int, do: str, deadline: float) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([port], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise HostError(f"no answer to {do!r} within {self._timeout:.0f} s")
            line += os.read(port, 4096)
        return line

    def echo(self, value: Any) -> Any:
        """The same value again."""
        return self.ask("echo", value=value)

    def trigger(self, device: str, **message: Any) -> Any:
        """Sends a message to the control socket of a device's server; returns the server's answer."""
        return self.ask("trigger", device=device, message=message)

    def end_server(self, device: str) -> None:
        """Ends the server of a device: from then on the device does not answer any more."""
        self.ask("end", device=device)

    def unplug(self, device: str) -> None:
        """Has QEMU unplug a device, and returns when it is gone."""
        self.ask("unplug", device=device)

    def qmp(self, command: str, **arguments: Any) -> Any:
        """Runs a command of QEMU's monitor."""
        return self.ask("qmp", command=command, arguments=arguments)
