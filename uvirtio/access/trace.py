"""The recorder: every register access, ring publish and notification of a run, in order, with what it deviated from.

The driver's duties are judged from these records, and ``--trace`` writes them one JSON line each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..spec.registers import RegisterMap
from .clock import Clock
from .view import Region, View

__all__ = ["Record", "Recorder"]


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that the driver did.

    ``kind``: ``read``, ``write`` (a register, ``width`` bytes at ``offset`` of ``space``), ``publish`` (``value``:
    the new available index of queue ``offset``), ``mark`` (a named moment: ``name``).
    ``deviation``: the duty that the driver broke on purpose, and why; empty otherwise.
    """

    time: float
    kind: str
    space: str
    name: str
    offset: int
    width: int
    value: int
    deviation: str = ""

    def to_json(self) -> dict[str, object]:
        """As a JSON object for ``--trace``."""
        return {
            "time": round(self.time, 9),
            "kind": self.kind,
            "space": self.space,
            "register": self.name,
            "offset": self.offset,
            "width": self.width,
            "value": f"{self.value:#x}",
            "deviation": self.deviation or None,
        }


class Recorder:
    """Collects records, up to ``limit`` of the newest (older ones are dropped in blocks and counted)."""

    def __init__(self, clock: Clock, limit: int = 200_000, sink: Callable[[Record], None] | None = None) -> None:
        self.records: list[Record] = []
        self.dropped = 0
        self.deviation = ""
        self._clock = clock
        self._limit = limit
        self._sink = sink

    def add(self, kind: str, space: str, name: str, offset: int = 0, width: int = 0, value: int = 0) -> None:
        """Record something that happened just now."""
        record = Record(self._clock.now(), kind, space, name, offset, width, value, self.deviation)
        if self._sink is not None:
            self._sink(record)
        self.records.append(record)
        if len(self.records) > self._limit:
            half = self._limit // 2
            self.dropped += len(self.records) - half
            del self.records[:-half]

    def mark(self, name: str) -> int:
        """Record a named moment; returns the position from which :meth:`since` reads."""
        self.add("mark", "", name)
        return self.dropped + len(self.records)

    def since(self, position: int) -> list[Record]:
        """The records from a position on, as far as they are still kept."""
        return self.records[max(0, position - self.dropped) :]

    @contextmanager
    def deviating(self, duty: str, why: str) -> Iterator[None]:
        """Tag what happens inside as a deliberate deviation from a driver duty."""
        before, self.deviation = self.deviation, f"{duty}: {why}"
        try:
            yield
        finally:
            self.deviation = before

    def region(self, inner: Region, space: str, registers: RegisterMap | None = None) -> Region:
        """The same registers, each access recorded. ``space`` and the register map name them."""

        def make(base: int, _length: int, width: int) -> View:
            return _TracedView(self, inner, space, registers, base, width)

        return Region(make, 0, inner.length)


class _TracedView:
    """A view that records each access of the view underneath."""

    def __init__(
        self, recorder: Recorder, inner: Region, space: str, registers: RegisterMap | None, base: int, width: int
    ) -> None:
        self._recorder = recorder
        self._view: View = inner.view(width)
        self._shift = base // width
        self._space = space
        self._registers = registers
        self._width = width

    def _name(self, offset: int) -> str:
        register = self._registers.at(offset) if self._registers else None
        return register.name if register else f"+{offset:#x}"

    def __getitem__(self, index: int) -> int:
        index += self._shift
        value = self._view[index]
        offset = index * self._width
        self._recorder.add("read", self._space, self._name(offset), offset, self._width, value)
        return value

    def __setitem__(self, index: int, value: int) -> None:
        index += self._shift
        offset = index * self._width
        # Recorded before it is done: the device may react inside the access, and its effect must come after.
        self._recorder.add("write", self._space, self._name(offset), offset, self._width, value)
        self._view[index] = value
