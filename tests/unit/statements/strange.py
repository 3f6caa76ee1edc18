"""Histories that make no sense: events of others in any order, cut off, left out, and with values that nobody has written."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from uvirtio.errors import SnapshotError
from uvirtio.spec.dialects import DIALECTS
from uvirtio_tools.codec import decode, encode
from uvirtio_tools.judging import names
from uvirtio_tools.judging.events import KINDS, HistoryEvent
from uvirtio_tools.judging.history import Setting, Window, finish

__all__ = ["disordered", "with_strange_values"]

_TEXTS = [
    "",
    "0",
    "-1",
    "1",
    "ff",
    "0xff",
    "zz",
    "1e999",
    "nan",
    "{}",
    "[]",
    "null",
    "[1]",
    "[{}]",
    '{"cycles": "x"}',
    "config",
]
_NAMES = [getattr(names, name) for name in names.__all__]
_NUMBERS = [0, 1, -1, 0x10, 0x1B, 0x4F, 0xFF, 2**31, 2**64, 10**400]
_FRACTIONS = [0.0, -1.0, 1e-9, 1e300, float("inf"), float("nan")]


def disordered(source: random.Random, windows: Sequence[Window], count: int = 3) -> list[Window]:
    """Windows of the events of others."""
    memory: dict[object, Any] = {}
    found: list[Window] = []
    for number in range(count):
        one, other = source.choice(windows), source.choice(windows)
        events = _in_disorder(source, one.events, other.events)
        window = Window(
            source.choice((one.scenario, other.scenario)), source.choice((one.shows, other.shows, ())), setting(source, one),
            source.choice((1, 1, number)), source.choice((number + 1, 1)), events=events, goes_on=source.random() < 0.5,
            memory=memory,
        )  # fmt: skip
        if found:
            window.control, window.started = found[-1].control, found[-1].started
        finish(window)
        found.append(window)
    return found


def setting(source: random.Random, window: Window) -> Setting:
    """What goes for a window of another run."""
    dialect = source.choice((*DIALECTS, window.setting.dialect, ""))
    return window.setting.__class__(
        source.choice((2, 0, 4, 99)), "blk", dialect, window.setting.timeout, source.choice((window.setting.hold, 0.0, 1e9)),
        "", source.random() < 0.5, source.random() < 0.8, source.choice((0, 64)),
    )  # fmt: skip


def _in_disorder(
    source: random.Random, events: Sequence[HistoryEvent], others: Sequence[HistoryEvent]
) -> list[HistoryEvent]:
    way = source.randrange(6)
    start = source.randrange(len(events) + 1)
    if way == 0:
        return list(events[:start])
    if way == 1:
        return list(events[start:])
    if way == 2:
        return source.sample(events, len(events))
    if way == 3:
        return [event for event in events if source.random() < 0.8]
    if way == 4:
        return [*events[:start], *others[source.randrange(len(others) + 1) :]]
    gone = source.choice([type(event) for event in events] or [int])
    return [event for event in events if type(event) is not gone]


def with_strange_values(source: random.Random, windows: Sequence[Window], share: float = 0.1) -> list[Window]:
    """The same windows with other values in them, of the kinds that a file may have there."""
    memory: dict[object, Any] = {}
    found = []
    for one in windows:
        events = [_twisted(source, event) if source.random() < share else event for event in one.events]
        window = Window(
            one.scenario, one.shows, setting(source, one), one.run, one.number, events=events, memory=memory
        )
        finish(window)
        found.append(window)
    return found


_KINDS = {kind: name for name, kind in KINDS.items()}


def _twisted(source: random.Random, event: HistoryEvent) -> HistoryEvent:
    document = encode(event)
    places: list[tuple[Any, Any]] = []
    _gather(document, places)
    holder, key = source.choice(places)
    holder[key] = _another(source, holder[key])
    try:
        return decode(type(event), document, "")
    except SnapshotError:
        return event


def _gather(value: Any, places: list[tuple[Any, Any]]) -> None:
    """Every place in a document."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        places.append((value, key))
        _gather(value[key], places)


def _another(source: random.Random, value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool) or value is None:
        return source.choice((True, False, None))
    if isinstance(value, int):
        return source.choice(_NUMBERS)
    if isinstance(value, float):
        return source.choice((*_FRACTIONS, *_NUMBERS))
    if isinstance(value, str):
        return source.choice((*_TEXTS, *_NAMES, "DONE", "TIMED_OUT", "REFUSED", "GONE"))
    return type(value)()
