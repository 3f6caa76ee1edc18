"""Opens the device that a command drives: function, recorder, driver; and closes all of it whatever happens."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from uvirtio.access.trace import Access, Published, Recorder
from uvirtio.bus import Function
from uvirtio.bus.locator import Locator, parse
from uvirtio.bus.opening import open_function
from uvirtio.device import Device
from uvirtio.errors import UsageError
from uvirtio.spec.features import Feature, Features

from ..named_files import open_for_writing

__all__ = ["feature_bits", "open_device"]


def feature_bits(words: list[str]) -> Features:
    """The features named by bit number or by device-independent name. Raises :class:`UsageError`."""
    bits = []
    for word in words:
        name = word.upper().removeprefix("VIRTIO_").removeprefix("F_")
        if word.isdecimal() and int(word) < 128:
            bits.append(int(word))
        elif name in Feature.__members__:
            bits.append(Feature[name].value)
        else:
            known = ", ".join(Feature.__members__)
            raise UsageError(f"--without {word}: neither a bit number (0-127) nor one of {known}")
    return Features.of(*bits)


@contextmanager
def _trace_sink(path: str | None) -> Iterator[TextIO | None]:
    if path is None:
        yield None
    elif path == "-":
        yield sys.stderr
    else:
        with open_for_writing("--trace", path, buffering=1 << 16) as file:
            yield file


@contextmanager
def open_device(
    locator: str | Locator,
    *,
    trace: str | None = None,
    timeout: float = 10.0,
    record: bool = False,
    force: bool = False,
) -> Iterator[Device]:
    """An open device, closed at the end: reset, and its function left as it was found.

    ``trace``: a file for the register accesses (``-``: stderr); ``record`` keeps them in memory too.
    """
    where = parse(locator) if isinstance(locator, str) else locator
    with _trace_sink(trace) as file:
        function: Function = open_function(where, force=force)
        try:
            recorder = None
            if file is not None:
                output = file

                def write(event: Access | Published) -> None:
                    output.write(json.dumps(event.to_json()) + "\n")

                recorder = Recorder(function.clock, limit=200_000 if record else 2, sink=write)
            elif record:
                recorder = Recorder(function.clock)
            device = Device(function, recorder=recorder, timeout=timeout)
        except BaseException:
            function.close()
            raise
        try:
            with device:
                yield device
        finally:
            for note in function.notes:
                print(f"uvirtio: {note}", file=sys.stderr)
