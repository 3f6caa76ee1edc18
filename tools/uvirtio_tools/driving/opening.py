"""Opens the device that a command drives: function, recorder, driver; and closes all of it whatever happens."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from uvirtio.access.clock import Clock
from uvirtio.access.trace import Access, Published, Recorder
from uvirtio.bus import Function
from uvirtio.bus.locator import Locator, parse
from uvirtio.bus.opening import open_function
from uvirtio.device import Device

from ..named_files import open_for_writing
from ..telling import tell

__all__ = ["open_device"]

#: Takes each access as it comes.
Sink = Callable[[Access | Published], None]


@contextmanager
def _trace_sink(path: str | None) -> Iterator[TextIO | None]:
    if path is None:
        yield None
    elif path == "-":
        yield sys.stderr
    else:
        with open_for_writing("--trace", path, buffering=1 << 16) as file:
            yield file


def _writer(file: TextIO) -> Sink:
    def write(event: Access | Published) -> None:
        file.write(json.dumps(event.to_json()) + "\n")

    return write


@contextmanager
def open_device(
    locator: str | Locator,
    *,
    trace: str | None = None,
    timeout: float = 10.0,
    recorder: Callable[[Clock, Sink | None], Recorder] | None = None,
    force: bool = False,
) -> Iterator[Device]:
    """An open device, closed at the end: reset, and its function left as it was found.

    ``trace``: a file for the register accesses (``-``: stderr). ``recorder`` makes what else keeps them, from the device's
    clock and a sink for each access.
    """
    where = parse(locator) if isinstance(locator, str) else locator
    with _trace_sink(trace) as file:
        function: Function = open_function(where, force=force)
        try:
            sink = _writer(file) if file is not None else None
            kept = None
            if recorder is not None:
                kept = recorder(function.clock, sink)
            elif sink is not None:
                kept = Recorder(function.clock, limit=2, sink=sink)
            device = Device(function, recorder=kept, timeout=timeout)
        except BaseException:
            function.close()
            raise
        try:
            with device:
                yield device
        finally:
            for note in function.notes:
                tell(note)
