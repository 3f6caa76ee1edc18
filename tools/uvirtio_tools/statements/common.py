"""What several statements ask of a suspend or a window."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import NamedTuple

from uvirtio.spec.dialects import V1_4, Dialect
from uvirtio.spec.status import GONE, describe
from uvirtio.suspend import Transition

from ..judging import names
from ..judging.events import Read
from ..judging.history import Window
from ..judging.looks import changed, moved_indices
from ..judging.suspends import Suspend

__all__ = [
    "Touched", "awake", "dialect_of", "came_back", "milliseconds", "nothing_waiting", "number", "numbers", "records", "seconds_of", "served",
    "silent_isr", "touched", "unsettled", "values",
]  # fmt: skip


def dialect_of(window: Window) -> Dialect:
    """The dialect that the device speaks, virtio 1.4's where it speaks none."""
    return window.setting.speaks or V1_4


def milliseconds(seconds: float) -> str:
    """For people."""
    return f"{seconds * 1e3:.3f} ms"


def values(window: Window, what: str) -> list[str]:
    """What was read under this name, in order."""
    return [event.value for event in window.of(Read) if event.what == what]


def number(text: str) -> int | None:
    """What was read, as a number; None where it is none: a file may have anything there."""
    try:
        return int(text)
    except ValueError:
        return None


def numbers(window: Window, what: str) -> list[int]:
    """What was read under this name, in order, as far as it is a number."""
    return [found for text in values(window, what) if (found := number(text)) is not None]


def seconds_of(window: Window, what: str) -> float | None:
    """The first time that was read under this name; None where there is none."""
    for text in values(window, what):
        with suppress(ValueError):
            return float(text)
    return None


def records(window: Window, what: str, length: int) -> list[list[int]]:
    """Lists of so many numbers that were read under this name, in order."""
    found = []
    for text in values(window, what):
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            continue  # a history that somebody has changed
        if isinstance(record, list) and len(record) == length and all(isinstance(each, int) for each in record):
            found.append(record)
    return found


def silent_isr(window: Window) -> str:
    """Why the absence of ISR bit 0 says nothing; empty where bit 0 alone was seen on the running device."""
    control = window.control
    if control is not None and control.sticky:
        return "reading ISR does not clear it on this device (4.1.4.5), so what it shows may be old"
    if control is None or not control.used:
        return "on the running device, traffic did not show as ISR bit 0 alone, so its absence would say nothing"
    return ""


def nothing_waiting(what: str) -> str:
    """Why there was no occasion."""
    return f"no buffer was left waiting, so there was nothing to {what}"


def unsettled(window: Window, suspend: Suspend) -> str:
    """Why what was seen is not that of a device which was suspended all the time; empty when it was."""
    return suspend.unsettled(dialect_of(window).is_suspended)


def awake(window: Window, resume: Transition) -> str:
    """Why a resume says nothing, where the device had woken up before it was asked; empty when it had not."""
    before = resume.status_before
    if before == GONE or dialect_of(window).is_suspended(before):
        return ""
    return f"the device was not suspended any more when it was asked to resume: status {describe(before)}, see V8"


def served(suspend: Suspend) -> bool:
    """Whether requests were served after the resume, with nothing wrong: fresh ones, or those that had waited."""
    waited = suspend.waiting > 0 and came_back(suspend)
    return (bool(suspend.traffic) or waited) and not suspend.troubles


def came_back(suspend: Suspend) -> bool:
    """Whether what was outstanding at the suspend has come back after the resume, with nothing wrong."""
    return any(drained.doing == names.OUTSTANDING for drained in suspend.drained) and not suspend.troubles


class Touched(NamedTuple):
    """What a device did to its queues while it said that it was suspended. ``at``: when that had happened (s)."""

    at: float
    moved: str = ""
    written: str = ""

    @property
    def what(self) -> str:
        """As a sentence."""
        return self.moved or self.written


def touched(suspend: Suspend) -> Touched | None:
    """The first that it did; None where rings and buffers stayed as they were."""
    for before, after, reaped in suspend.steps():
        if moved := moved_indices(before, after):
            return Touched(after.time, moved="; ".join(moved))
        # A driver that reaps may write to its own part of a ring.
        if written := changed(before, after, buffers_only=reaped):
            return Touched(after.time, written=f"changed: {', '.join(written)}")
    return None
