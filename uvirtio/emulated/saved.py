"""The whole state of an emulated device as a document, to be put into a fresh one: what a hypervisor does for a snapshot.

Each part names in ``STATE`` the attributes that are its state. What hangs on the clock is kept as what is left of it: a
request in process completes after the time that it still needed.
"""

from __future__ import annotations

import base64
import json
import random
import tempfile
import zlib
from collections import deque
from collections.abc import Callable
from typing import Any

from .. import __version__
from ..errors import SnapshotError
from ..foreign import parse_json
from .function import EmulatedFunction
from .queue import DeviceQueue, Request
from .restoring import State
from .ring import Chain

__all__ = ["SCHEMA", "VERSION", "check", "from_text", "load", "save", "through_a_file", "to_text"]

SCHEMA = "uvirtio/device"
VERSION = 1
#: Bytes from which on they are packed: a disk in memory is mostly zeros.
_PACKED = 1 << 10


# -- values ------------------------------------------------------------------------------------------------------------


def _encode(value: object) -> Any:
    """A value as JSON; what JSON has no word for is an object with one entry, its kind."""
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, bytes | bytearray):
        if len(value) < _PACKED:
            return {"bytes": value.hex()}
        return {"packed": base64.b64encode(zlib.compress(bytes(value), 1)).decode()}
    if isinstance(value, set):
        return {"set": [_encode(each) for each in sorted(value)]}
    if isinstance(value, tuple):
        return {"tuple": [_encode(each) for each in value]}
    if isinstance(value, list | deque):
        return [_encode(each) for each in value]
    if isinstance(value, dict):
        return {"map": [[_encode(key), _encode(each)] for key, each in value.items()]}
    if isinstance(value, random.Random):
        return _encode(value.getstate())
    if isinstance(value, Chain):
        return {"chain": [value.id, _encode(value.readable), _encode(value.writable), value.count]}
    return {"part": attributes(value)}


def attributes(part: Any) -> State:
    """What a part names as its state."""
    return {name: _encode(getattr(part, name)) for name in part.STATE}


# -- documents ---------------------------------------------------------------------------------------------------------


def _request(request: Request, now: float) -> State:
    return {
        "chain": _encode(request.chain),
        "left": max(0.0, request.due - now) if not request.ready else 0.0,
        "ready": request.ready,
    }


def _queue(queue: DeviceQueue, now: float) -> State:
    return attributes(queue) | {
        "ring": attributes(queue.ring) if queue.ring is not None else None,
        "kept": _encode(queue.kept),
        "in_process": [_request(request, now) for request in queue.in_process],
        "again": queue.goes_on,
    }


def save(function: EmulatedFunction) -> State:
    """The state of a device, as a document. The device is left as it is."""
    device, now = function.device, function.device.clock.now()
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "release": __version__,
        "type": function.options.type_name,
        "table": attributes(function.table),
        "interrupts": attributes(function.interrupts),
        "space": attributes(function.pci),
        "device": attributes(device),
        "model": attributes(device.model),
        "queues": [_queue(queue, now) for queue in device.queues],
        "behaviour": {"phase": device.behaviour.phase.value, "left": device.behaviour.left},
    }


def check(state: State, type_name: str) -> None:
    """Raise :class:`SnapshotError` for what is not the state of a device of this type."""
    if state.get("schema") != SCHEMA:
        raise SnapshotError("not the state of an emulated device")
    if state.get("version") != VERSION:
        raise SnapshotError(f"a state of version {state.get('version')!r}; this release reads {VERSION}")
    if state.get("type") != type_name:
        raise SnapshotError(f"the state of a device of type {state.get('type')!r}, not {type_name}")


def load(function: EmulatedFunction, state: State) -> None:
    """Put it into a fresh device that was made by the same options. It goes on from there, at once.

    Raises :class:`SnapshotError` for what is no such document, or that of another device.
    """
    check(state, function.options.type_name)
    try:
        with function.device.guarded():
            function.options.parts.restorer(function).everything(state)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, zlib.error) as error:
        raise SnapshotError(f"a damaged state, or one of a device with other options: {error!r}") from error


def through_a_file(function: EmulatedFunction, meanwhile: Callable[[], object] = lambda: None) -> State:
    """Save a device to a file, abandon it, and read the state back once it has been away: for a fresh one.

    Raises OSError where the file cannot be written.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        file.write(to_text(save(function)))
        function.abandon()
        meanwhile()
        file.seek(0)
        return from_text(file.read())


def to_text(state: State) -> str:
    """As it lies in a file."""
    return json.dumps(state, separators=(",", ":")) + "\n"


def from_text(text: str) -> State:
    """Read it back. Raises :class:`SnapshotError`."""
    try:
        state = parse_json(text)
    except ValueError as error:
        raise SnapshotError(f"not the state of an emulated device: {error}") from error
    if not isinstance(state, dict):
        raise SnapshotError("not the state of an emulated device: no object")
    return state
