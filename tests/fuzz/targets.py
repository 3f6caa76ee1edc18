"""What is fuzzed: a name, and a function of bytes that raises nothing whatever they are."""

from __future__ import annotations

from collections.abc import Callable

from . import files, lines, peers, rings

__all__ = ["TARGETS"]

TARGETS: dict[str, Callable[[bytes], None]] = {
    "server": peers.server_of,
    "client": peers.client_of,
    "device": rings.device_of,
    "driver": rings.driver_of,
    "snapshot": files.snapshot,
    "result": files.result,
    "history": files.history,
    "journal": files.journals,
    "control": lines.control,
}
