"""Lines to the control socket of a served device."""

from __future__ import annotations

import json
import tempfile
from functools import cache

from uvirtio.emulated.control import ControlServer
from uvirtio.emulated.function import EmulatedFunction
from uvirtio.emulated.listener import Listener
from uvirtio.emulated.log import AccessLog
from uvirtio.emulated.loop import Loop
from uvirtio.emulated.memory import MappedMemory
from uvirtio.emulated.options import parse_options

from .choices import Choices
from .documents import text

__all__ = ["control"]

_REQUESTS = [
    {"do": "delay", "seconds": 0.1}, {"do": "state"}, {"do": "change_config", "field": "status", "value": 1},
    {"do": "send_traffic", "count": 1}, {"do": "set_link", "up": False}, {"do": "resize", "sectors": 8}, {"do": "available"},
]  # fmt: skip


@cache
def _server(kind: str) -> ControlServer:
    loop = Loop()
    with tempfile.TemporaryDirectory() as folder:
        listener = Listener(f"{folder}/c")
    function = EmulatedFunction(parse_options(kind, {}), loop, MappedMemory(), AccessLog(loop, None))
    return ControlServer(listener, function, loop)


def control(data: bytes) -> None:
    """Any line is answered with one."""
    choose = Choices(data[:2])
    line = text(_REQUESTS[choose.randrange(len(_REQUESTS))], data[2:]).replace(b"\n", b" ")
    answer = _server(choose.choice(["rng", "blk", "net", "console", "input", "balloon"])).answer(line)
    json.dumps(answer)
