"""The recorder: what a driver does to a device and what the rings give back, in order, with what it deviated from.

Registers are recorded by a region around the region, queues by a queue around the queue (:mod:`uvirtio.queue.observed`): where
nobody records, neither is there. The driver's duties are judged from these events, and ``--trace`` writes the accesses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ..spec.registers import RegisterMap
from .clock import Clock
from .view import Region, View

__all__ = ["Access", "Added", "Asked", "Event", "Mark", "Message", "Published", "Recorder", "Strayed", "Used", "Wrong"]


class Access(NamedTuple):
    """A register access: ``kind`` is ``read`` or ``write``, of ``width`` bytes at ``offset`` of ``space``.

    ``deviation``: the duty that the driver broke on purpose, and why; empty otherwise. ``repeats``: how many such reads
    in a row this stands for, the last of them at ``last`` (only a recorder that merges them counts).
    """

    time: float
    kind: str
    space: str
    name: str
    offset: int
    width: int
    value: int
    deviation: str = ""
    repeats: int = 1
    last: float = 0.0

    def to_json(self) -> dict[str, object]:
        """As a line of ``--trace``."""
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


class Added(NamedTuple):
    """A buffer was described: sizes of its parts in bytes. The device does not see it yet."""

    time: float
    queue: int
    token: int
    readable: tuple[int, ...]
    writable: tuple[int, ...]


class Published(NamedTuple):
    """Buffers were made available by storing ``value`` in ``name``: the available index, or position and wrap counter."""

    time: float
    queue: int
    name: str
    value: int
    deviation: str = ""

    @property
    def kind(self) -> str:
        """``publish``."""
        return "publish"

    def to_json(self) -> dict[str, object]:
        """As a line of ``--trace``."""
        return {
            "time": round(self.time, 9),
            "kind": self.kind,
            "space": "queue",
            "register": self.name,
            "offset": self.queue,
            "width": 2,
            "value": f"{self.value:#x}",
            "deviation": self.deviation or None,
        }


class Asked(NamedTuple):
    """The driver asked for used buffer notifications (``wanted``), or for none."""

    time: float
    queue: int
    wanted: bool


class Used(NamedTuple):
    """A used buffer was reaped, with the length that the device gave."""

    time: float
    queue: int
    token: int
    length: int


class Wrong(NamedTuple):
    """What the device put into a ring cannot be; ``rule`` is one word for what it breaks (see ``DeviceMisbehaved``)."""

    time: float
    queue: int
    rule: str
    text: str


class Strayed(NamedTuple):
    """The device wrote where nothing was given to it to write: beside a piece of memory, or into one that it may only read.

    ``piece`` names it, ``address`` is its bus address and ``size`` its bytes; ``first`` and ``last`` are the outermost bytes
    that were written, as offsets from there. ``queue`` and ``token`` are -1 where it is no buffer's.
    """

    time: float
    queue: int
    token: int
    piece: str
    address: int
    size: int
    first: int
    last: int


class Message(NamedTuple):
    """A message of MSI-X was seen, of this vector, in this way.

    ``data``: what was written to memory (0 where that is not seen). ``times``: how many there were, 0 where they merge.
    """

    time: float
    vector: int
    way: str
    data: int
    times: int


class Mark(NamedTuple):
    """A named moment."""

    time: float
    name: str

    @property
    def kind(self) -> str:
        """``mark``."""
        return "mark"


Event = Access | Added | Published | Asked | Used | Wrong | Strayed | Message | Mark


class Recorder:
    """Collects events, up to ``limit`` of the newest (older ones are dropped in blocks and counted).

    ``sink`` gets each access and each publish as it comes.
    """

    def __init__(
        self, clock: Clock, limit: int = 200_000, sink: Callable[[Access | Published], None] | None = None
    ) -> None:
        self.events: list[Event] = []
        self.dropped = 0
        self.deviation = ""
        self.now = clock.now
        self._limit = limit
        self._sink = sink

    def add(self, event: Event) -> None:
        """Keep an event that happened just now."""
        self.events.append(event)
        if len(self.events) > self._limit:
            half = self._limit // 2
            self.dropped += len(self.events) - half
            del self.events[:-half]

    def access(self, kind: str, space: str, name: str, offset: int, width: int, value: int) -> None:
        """A register was read or written."""
        event = Access(self.now(), kind, space, name, offset, width, value, self.deviation)
        if self._sink is not None:
            self._sink(event)
        self.add(event)

    def published(self, queue: int, name: str, value: int) -> None:
        """Buffers are being made available."""
        event = Published(self.now(), queue, name, value, self.deviation)
        if self._sink is not None:
            self._sink(event)
        self.add(event)

    def mark(self, name: str) -> int:
        """Record a named moment; returns the position from which :meth:`since` reads."""
        self.add(Mark(self.now(), name))
        return self.dropped + len(self.events)

    def since(self, position: int) -> list[Event]:
        """The events from a position on, as far as they are still kept."""
        return self.events[max(0, position - self.dropped) :]

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
        self._access = recorder.access
        self._view: View = inner.view(width)
        self._shift = base // width
        self._space = space
        self._registers = registers
        self._width = width
        self._names: dict[int, str] = {}

    def _name(self, offset: int) -> str:
        name = self._names.get(offset)
        if name is None:
            register = self._registers.at(offset) if self._registers else None
            name = self._names[offset] = register.name if register else f"+{offset:#x}"
        return name

    def __getitem__(self, index: int) -> int:
        index += self._shift
        value = self._view[index]
        offset = index * self._width
        self._access("read", self._space, self._name(offset), offset, self._width, value)
        return value

    def __setitem__(self, index: int, value: int) -> None:
        index += self._shift
        offset = index * self._width
        # Recorded before it is done: the device may react inside the access, and its effect must come after.
        self._access("write", self._space, self._name(offset), offset, self._width, value)
        self._view[index] = value
