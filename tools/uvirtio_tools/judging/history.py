"""The history of one device: an ordered stream of events, cut into windows that are judged one after the other and dropped.

A window is one scenario from one known state to the next, or one cycle of a long scenario. It can be written to a file as it
is closed, and judged again from there without the device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from uvirtio.access.clock import Clock
from uvirtio.access.guards import GuardedMemory
from uvirtio.access.trace import Access, Published, Recorder, Strayed
from uvirtio.device import Device
from uvirtio.spec.dialects import DIALECTS, Dialect
from uvirtio.suspend import Transition

from .events import Ended, HistoryEvent, Looked, Started, Traffic, Transitioned, Trouble
from .looks import Look
from .names import CONTROL

__all__ = ["History", "Setting", "Window"]

E = TypeVar("E", bound=HistoryEvent)


class Setting(NamedTuple):
    """What goes for a whole run: the device, the dialect (empty: none is offered), and how long things may take (s).

    ``unmoved``: why no data can be moved on it; empty where it can.
    """

    device_type: int
    type_name: str
    dialect: str
    timeout: float
    hold: float
    line: str = ""
    has_line: bool = False
    unmoved: str = ""
    config_length: int = 0

    @property
    def speaks(self) -> Dialect | None:
        """The dialect as a record."""
        return DIALECTS.get(self.dialect)


@dataclass(slots=True)
class Window:
    """What happened in one scenario, or in one cycle of it.

    ``shows``: statements that the scenario is for. ``run``: counts scenario runs, so that windows of one run are known to
    belong together; ``number`` counts its windows from 1. ``control`` and ``started`` are the latest of the same run.
    """

    scenario: str
    shows: tuple[str, ...]
    setting: Setting
    run: int
    number: int = 1
    opened: float = 0.0
    closed: float = 0.0
    events: list[HistoryEvent] = field(default_factory=list)
    control: Traffic | None = None
    started: Started | None = None
    #: How messages of MSI-X were seen, which the device was notified by; empty: ISR and INTx.
    way: str = ""
    #: Whether the scenario goes on in another window.
    goes_on: bool = False
    #: Answers to questions that several statements ask of this window, and what is remembered over a whole history.
    answers: dict[object, Any] = field(default_factory=dict)
    memory: dict[object, Any] = field(default_factory=dict)

    #: The events by kind, once there will be no more: many statements ask for few of many.
    _kinds: dict[type, list[Any]] | None = field(default=None, init=False, repr=False)

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        if self._kinds is None:
            return [event for event in self.events if type(event) is kind]
        return list(self._kinds.get(kind, ()))

    def end(self) -> None:
        """There will be no more events."""
        self._kinds = {}
        for event in self.events:
            self._kinds.setdefault(type(event), []).append(event)

    def since(self, event: HistoryEvent) -> list[HistoryEvent]:
        """What came after an event of this window."""
        for position, each in enumerate(self.events):
            if each is event:
                return self.events[position + 1 :]
        raise ValueError("not an event of this window")

    @property
    def ended(self) -> Ended | None:
        """Why the scenario ended before its end; None when it did not."""
        return next(iter(self.of(Ended)), None)

    @property
    def transitions(self) -> list[Transition]:
        """The suspends and resumes, in order."""
        return [event.transition for event in self.of(Transitioned)]

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.closed - self.opened

    @property
    def deviations(self) -> list[str]:
        """What the driver deviated from on purpose, and why; each once."""
        found = (event.deviation for event in self.events if isinstance(event, Access | Published))
        return list(dict.fromkeys(text for text in found if text))


class History(Recorder):
    """A recorder that keeps what belongs to the window that is open, and hands each window over as it is closed.

    Reads that repeat the one before are merged: a wait for a stuck device is one event. ``sink`` gets each access and each
    publish as it comes, all of them.
    """

    def __init__(self, clock: Clock, sink: Callable[[Access | Published], None] | None = None) -> None:
        super().__init__(clock, sink=sink)
        self.setting = Setting(0, "", "", 0.0, 0.0)
        #: See :class:`Window`.
        self.way = ""
        self._runs = 0
        self._memory: dict[object, Any] = {}
        #: Each gets every window that is closed.
        self.listeners: list[Callable[[Window], object]] = []
        self._window = self._begin(Window("", (), self.setting, 0, memory=self._memory))

    def add(self, event: HistoryEvent) -> None:
        """Keep an event that happened just now."""
        events = self._window.events
        if type(event) is Access and event.kind == "read" and events:
            last = events[-1]
            if type(last) is Access and last[1:8] == event[1:8]:
                events[-1] = last._replace(repeats=last.repeats + 1, last=event.time)
                return
        events.append(event)
        if len(events) > self._limit and not self._window.run:
            del events[: self._limit // 2]  # what belongs to no scenario is not judged

    def note_strays(self, device: Device) -> None:
        """Keep what the device has written beside the driver's memory since the last time."""
        if isinstance(device.dma, GuardedMemory):
            for stray in device.dma.strays():
                self.add(Strayed(self.now(), -1, -1, stray.owner, stray.address, stray.size, stray.first, stray.last))

    def latest_look(self, name: str) -> Look:
        """The latest look of this name in the window that is open. Raises :class:`LookupError` where there is none."""
        for event in reversed(self._window.events):
            if type(event) is Looked and event.name == name:
                return event.look
        raise LookupError(f"nobody has looked at {name!r}")

    def went_wrong(self) -> bool:
        """Whether something was found wrong in the window that is open."""
        return any(type(event) is Trouble for event in self._window.events)

    @property
    def window(self) -> Window:
        """The window that is open."""
        return self._window

    def open(self, scenario: str, shows: tuple[str, ...] = ()) -> Window:
        """A scenario begins; what was done since the last one is a window without a name."""
        if self._window.events:
            self._hand_over()
        self._runs += 1
        return self._begin(
            Window(scenario, shows, self.setting, self._runs, opened=self.now(), memory=self._memory, way=self.way)
        )

    def go_on(self, name: str | None = None, shows: tuple[str, ...] | None = None) -> Window:
        """The scenario goes on in a new window, under another name where one is given; the one before is judged."""
        before = self._window
        before.goes_on = True
        self._hand_over()
        return self._begin(
            Window(
                before.scenario if name is None else name, before.shows if shows is None else shows, self.setting, before.run, before.number + 1, opened=self.now(),
                control=before.control, started=before.started, memory=self._memory, way=self.way,
            )
        )  # fmt: skip

    def close(self) -> None:
        """The scenario is over."""
        self._hand_over()
        self._begin(Window("", (), self.setting, 0, memory=self._memory))

    def _begin(self, window: Window) -> Window:
        self._window = window
        self.events = window.events  # type: ignore[assignment]  # a history keeps more kinds than a recorder
        self.dropped = 0
        return window

    def _hand_over(self) -> None:
        window = self._window
        window.closed, window.setting = self.now(), self.setting
        finish(window)
        for listener in self.listeners:
            listener(window)


def finish(window: Window) -> None:
    """There will be no more events in it: note what later windows of the same run rest on."""
    window.end()
    for event in window.events:
        if type(event) is Started:
            window.started = event
        elif type(event) is Traffic and event.doing == CONTROL:
            window.control = event
