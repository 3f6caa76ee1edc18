"""Histories in files: written as they are made, read again, and judged without the device.

Lines of JSON. The first says what goes for the whole run; a window has a line, and one for each of its events; the last has what
is known in the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TextIO

from uvirtio import __version__
from uvirtio.device import Device
from uvirtio.errors import SnapshotError
from uvirtio.foreign import parse_json

from ..codec import decode, encode
from ..named_files import lines_of, open_for_reading, open_for_writing
from .events import KINDS, HistoryEvent
from .history import History, Setting, Window, finish

__all__ = ["SCHEMA", "VERSION", "Recorded", "read_history", "recording"]

SCHEMA = "uvirtio/history"
VERSION = 1

_NAMES = {kind: name for name, kind in KINDS.items()}


@dataclass(slots=True)
class Recorded:
    """What is known of a run beside its history: all that a report needs. Features are masks."""

    locator: str = ""
    started: str = ""
    machine: dict[str, str] = field(default_factory=dict)
    device: dict[str, Any] = field(default_factory=dict)
    offered: int = 0
    accepted: int = 0
    simulated: bool = False
    workload: str = ""
    remarks: list[str] = field(default_factory=list)
    cycles: int = 0
    seed: int = 0
    only: list[str] = field(default_factory=list)
    stopped: str = ""
    interrupted: bool = False
    not_offered: str = ""


class _Head(NamedTuple):
    """A window without its events: how many there are, unless nobody has counted them."""

    scenario: str
    shows: tuple[str, ...]
    run: int
    number: int
    opened: float
    closed: float
    goes_on: bool
    events: int = -1
    way: str = ""


class _Writer:
    """Listens to a history."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._windows = 0

    def line(self, document: dict[str, Any]) -> None:
        """One line."""
        self._file.write(json.dumps(document, separators=(",", ":")) + "\n")

    def begin(self, setting: Setting) -> None:
        """The first line."""
        self.line({"schema": SCHEMA, "version": VERSION, "release": __version__, "setting": encode(setting)})

    def __call__(self, window: Window) -> None:
        if not self._windows:
            self.begin(window.setting)
        self._windows += 1
        head = _Head(
            window.scenario, window.shows, window.run, window.number, window.opened, window.closed, window.goes_on,
            len(window.events), window.way,
        )  # fmt: skip
        self.line({"window": encode(head)})
        for event in window.events:
            self.line({"event": _NAMES[type(event)], **encode(event)})

    def end(self, setting: Setting, recorded: Recorded) -> None:
        """The last line."""
        if not self._windows:
            self.begin(setting)
        self.line({"end": encode(recorded), "windows": self._windows})


@contextmanager
def recording(path: str | None, device: Device, known: Callable[[], Recorded]) -> Iterator[None]:
    """Write a device's history to a file while it is made (None: to none); ``known`` is asked in the end.

    Raises :class:`UsageError` where the file cannot be written.
    """
    if path is None:
        yield
        return
    history = device.recorder
    assert isinstance(history, History), "the device was opened to keep one"
    with open_for_writing("--history", path) as file:
        writer = _Writer(file)
        history.listeners.append(writer)
        try:
            yield
        finally:
            history.listeners.remove(writer)
            writer.end(history.setting, known())


def read_history(path: str) -> tuple[Setting, list[Window], Recorded]:
    """Read it back. Raises :class:`SnapshotError` when it is none, is damaged or cut off, or is of a newer version."""
    try:
        with open_for_reading(path) as file:
            return _Reader(path).read(file)
    except OSError as error:
        raise SnapshotError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SnapshotError(f"{path}: not a history of uvirtio: {error}") from error


class _Reader:
    """Reads one file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._windows: list[Window] = []
        self._memory: dict[object, Any] = {}
        #: Of the last window.
        self._expected = -1

    def read(self, file: TextIO) -> tuple[Setting, list[Window], Recorded]:
        lines = enumerate(lines_of(file), 1)
        setting = self._begin(next(lines, (1, ""))[1])
        for number, text in lines:
            where = f"{self._path}: line {number}"
            line = self._parse(text, where)
            if ("end" in line or "window" in line) and self._windows:
                self._complete(where)
            if "end" in line:
                recorded = decode(Recorded, line["end"], where)
                if line.get("windows") != len(self._windows) or next(lines, None) is not None:
                    raise SnapshotError(
                        f"{where}: damaged: {len(self._windows)} windows were read, and the end does not fit"
                    )
                return setting, self._windows, recorded
            if "window" in line:
                self._window(setting, decode(_Head, line["window"], where))
            elif self._windows:
                self._windows[-1].events.append(self._event(line, where))
            else:
                raise SnapshotError(f"{where}: damaged: an event that belongs to no window")
        raise SnapshotError(f"{self._path}: cut off: there is no last line, so the run that wrote it did not end")

    @staticmethod
    def _parse(text: str, where: str) -> dict[str, Any]:
        try:
            line = parse_json(text)
        except ValueError as error:
            raise SnapshotError(f"{where}: not JSON, or cut off: {error}") from error
        if not isinstance(line, dict):
            raise SnapshotError(f"{where}: an object was expected, not {type(line).__name__}")
        return line

    def _begin(self, text: str) -> Setting:
        where = f"{self._path}: line 1"
        foreign = f"{self._path}: not a history of uvirtio; --history of check and suspend writes them"
        try:
            head = self._parse(text, where)
        except SnapshotError as error:
            raise SnapshotError(foreign) from error
        if head.get("schema") != SCHEMA:
            raise SnapshotError(foreign)
        version = head.get("version")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise SnapshotError(f"{where}: damaged: version is {version!r}")
        if version > VERSION:
            raise SnapshotError(
                f"{self._path}: written by a newer uvirtio (version {version}; this one reads up to {VERSION}): update uvirtio"
            )
        return decode(Setting, head.get("setting"), where)

    def _window(self, setting: Setting, head: _Head) -> None:
        before = self._windows[-1] if self._windows else None
        window = Window(
            head.scenario, head.shows, setting, head.run, head.number, head.opened, head.closed, memory=self._memory,
            goes_on=head.goes_on, way=head.way,
        )  # fmt: skip
        if before is not None and before.run == head.run and head.number > 1:
            window.control, window.started = before.control, before.started
        self._windows.append(window)
        self._expected = head.events

    def _complete(self, where: str) -> None:
        """The last window has no more events."""
        window = self._windows[-1]
        if self._expected not in (-1, len(window.events)):
            raise SnapshotError(
                f"{where}: damaged: the window before it should have {self._expected} events, and has {len(window.events)}"
            )
        finish(window)

    @staticmethod
    def _event(line: dict[str, Any], where: str) -> HistoryEvent:
        kind = KINDS.get(str(line.pop("event", "")))
        if kind is None:
            raise SnapshotError(f"{where}: damaged: there is no event of this kind")
        return decode(kind, line, where)
