"""What the device saw and did, in order: the guest's register accesses, the driver's faults, and its own events.

This is the other half of the evidence: a driver's own record can only show what it meant to do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

__all__ = ["AccessLog", "Entry"]


class _Now(Protocol):
    def now(self) -> float: ...


class Entry(NamedTuple):
    """One line of the log.

    ``kind``: ``read``, ``write`` (a register: ``width`` bytes at ``offset`` of ``space``), ``fault`` (the driver did
    what it must not; ``detail`` says what), ``event`` (the device did something: ``name``, ``detail``).
    """

    time: float
    kind: str
    space: str
    name: str
    offset: int = 0
    width: int = 0
    value: int = 0
    detail: str = ""

    def to_json(self) -> dict[str, object]:
        """As one JSON object; a register access has the same fields as in the driver's own trace."""
        line: dict[str, object] = {"time": round(self.time, 9), "kind": self.kind}
        if self.kind == "event":
            line["event"] = self.name
        else:
            line |= {"space": self.space, "register": self.name, "offset": self.offset, "width": self.width}
            line["value"] = f"{self.value:#x}"
        if self.detail:
            line["detail"] = self.detail
        return line


class AccessLog:
    """Keeps the newest ``limit`` entries and hands each to ``sink`` as it comes."""

    def __init__(self, clock: _Now, sink: Callable[[Entry], None] | None = None, limit: int = 100_000) -> None:
        self.entries: deque[Entry] = deque(maxlen=limit)
        self.sink = sink
        self._clock = clock

    def _add(self, entry: Entry) -> None:
        self.entries.append(entry)
        if self.sink is not None:
            self.sink(entry)

    def access(self, kind: str, space: str, name: str, offset: int, width: int, value: int) -> None:
        """A register access by the guest: ``kind`` is read or write."""
        self._add(Entry(self._clock.now(), kind, space, name, offset, width, value))

    def fault(self, space: str, name: str, detail: str, offset: int = 0, width: int = 0, value: int = 0) -> None:
        """Something that a driver must not do."""
        self._add(Entry(self._clock.now(), "fault", space, name, offset, width, value, detail))

    def event(self, name: str, detail: str = "") -> None:
        """Something that the device did."""
        self._add(Entry(self._clock.now(), "event", "", name, detail=detail))

    def faults(self) -> list[Entry]:
        """The driver's faults so far."""
        return [entry for entry in self.entries if entry.kind == "fault"]

    def events(self, name: str = "") -> list[Entry]:
        """The device's events so far, or those of one name."""
        return [entry for entry in self.entries if entry.kind == "event" and name in ("", entry.name)]
