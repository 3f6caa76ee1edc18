"""The suspends of a window: what was asked, shown, seen meanwhile, and what came of the resume. Most statements stand on this."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from uvirtio.access.trace import Access, Published
from uvirtio.queue import QueueState
from uvirtio.spec.dialects import V1_4
from uvirtio.spec.statements import BLAMED
from uvirtio.spec.status import GONE, Status, describe
from uvirtio.suspend import Outcome, Transition

from .events import (
    Drained,
    Fired,
    HistoryEvent,
    Listened,
    Loaded,
    Looked,
    Prodded,
    Reaped,
    Traffic,
    Transitioned,
    Trouble,
)
from .history import Window
from .looks import Look
from .observation import Evidence

__all__ = ["ALL_ONES", "Suspend", "deviation_of", "suspends"]

ALL_ONES = "ISR reads all-ones while the device is suspended"

_STATUS = "device_status"

#: Rules of rings that a request which is done again after a suspend breaks as well.
_TWICE = ("used id", "used index")


@dataclass(slots=True)
class Suspend:
    """One suspend as it was watched. ``number`` counts those of the window from 1.

    ``before``: the last look before the write. ``done``: at the first read that showed it suspended, or at the end of the
    wait. ``looks``: all later ones up to the resume, by name. ``awake``: how many of them had been taken when the status
    showed that it was suspended no longer. ``statuses``: what the status read meanwhile, with times.
    ``resume`` is by the specified byte, ``fallback`` by the other one. ``after``: what was heard, drained and wrong then.
    """

    number: int
    transition: Transition
    asked: float
    owed: int
    states: dict[int, QueueState]
    answering: tuple[int, ...]
    before: Look | None
    loaded: Loaded | None
    looks: list[Looked] = field(default_factory=list)
    awake: int | None = None
    statuses: list[tuple[float, int]] = field(default_factory=list)
    prods: list[Prodded] = field(default_factory=list)
    fired: list[Fired] = field(default_factory=list)
    reaped: Reaped | None = None
    looks_before_reaping: int = 0
    resume: Transition | None = None
    fallback: Transition | None = None
    after: list[HistoryEvent] = field(default_factory=list)
    #: Whether notifications are messages, which may be on their way still when the status shows it suspended.
    by_messages: bool = False
    statuses_after: list[tuple[float, int]] = field(default_factory=list)

    # -- what came of the request ------------------------------------------------------------------------------

    @property
    def shown(self) -> bool:
        """Whether the device has shown itself suspended."""
        return self.transition.outcome is Outcome.DONE

    @property
    def refused(self) -> bool:
        """Whether it has answered with DEVICE_NEEDS_RESET."""
        return self.transition.outcome is Outcome.REFUSED

    @property
    def late(self) -> bool:
        """Whether it did neither in time."""
        return self.transition.outcome is Outcome.TIMED_OUT

    def why_not(self, timeout: float) -> str:
        """Why it is not suspended; empty when it is."""
        status = describe(self.transition.status)
        if self.shown:
            return ""
        if self.refused:
            return f"the device refused to suspend (DEVICE_NEEDS_RESET, status {status}), which it may"
        if self.late:
            return f"the device did not suspend within {timeout:g} s: status {status}"
        return "the device went away during suspend: status reads 0xff"

    # -- what was seen while it was suspended ------------------------------------------------------------------

    @property
    def asleep(self) -> list[Looked]:
        """The looks while it was suspended: what a device does that has woken up by itself is what a running one may do."""
        return self.looks[: self.awake]

    def look(self, name: str) -> Look | None:
        """The first look of this name while it was suspended."""
        return next((looked.look for looked in self.asleep if looked.name == name), None)

    @property
    def done(self) -> Look | None:
        """At the first "done" read."""
        return self.look("done")

    @property
    def cleared(self) -> Look | None:
        """The first look whose read of ISR cleared it: what ISR shows after that was set after that.

        Some devices answer all-ones on their way to sleep, and for a while longer. None: ISR was not to be read.
        """
        names = ("settled",) if self.by_messages else ("done", "settled")
        looks = (self.look(name) for name in names)
        return next((look for look in looks if look is not None and look.isr is not None), None)

    @property
    def isr_span(self) -> tuple[Look, Look] | None:
        """That one and the last one: what ISR showed from the first on, it showed while the device was suspended."""
        since = self.cleared
        after = [look for look in self.later if since is not None and look.time >= since.time]
        return (since, after[-1]) if since is not None and after else None

    @property
    def unread(self) -> str:
        """Why ISR does not say whether anything was notified; empty where it was read up to the last look."""
        looks = [looked.look for looked in self.asleep]
        if self.isr_span is not None and looks[-1].isr is not None:
            return ""
        if any(look.isr is None for look in looks):
            return ALL_ONES
        return "nobody looked at ISR while the device was suspended"

    @property
    def later(self) -> list[Look]:
        """The looks after the one at "done", in order."""
        return [looked.look for looked in self.asleep if looked.name != "done"]

    def steps(self) -> Iterator[tuple[Look, Look, bool]]:
        """Each look while it was suspended but the first, with the one before it, and whether the driver reaped in between."""
        looks = [looked.look for looked in self.asleep]
        for position in range(1, len(looks)):
            reaped = self.reaped is not None and position == self.looks_before_reaping
            yield looks[position - 1], looks[position], reaped

    @property
    def watched(self) -> float:
        """How long it was watched from the first "done" read on (s)."""
        times = [looked.look.time for looked in self.looks] + [time for time, _ in self.statuses]
        done = self.done
        return max(times, default=0.0) - done.time if done is not None else 0.0

    def watched_for(self, seconds: float) -> bool:
        """Whether it was watched for so long."""
        return self.watched >= 0.99 * seconds

    @property
    def answers(self) -> list[tuple[float, int]]:
        """What the status read after the first "done" read, with times; all-ones is no answer."""
        looks = [looked.look for looked in self.looks if looked.name != "done"]
        read = [*self.statuses, *((look.time, look.status) for look in looks if look.status is not None)]
        return [(time, status) for time, status in read if status != GONE]

    def unsettled(self, is_suspended: Callable[[int], bool]) -> str:
        """Why what was seen is not that of a device which was suspended all the time; empty when it was."""
        for _, status in self.answers:
            if status & Status.DEVICE_NEEDS_RESET:
                return f"the device failed while it was suspended, which it may: status {describe(status)}"
            if not is_suspended(status):
                return "the device did not stay suspended, see V8"
        last = next((looked.look for looked in reversed(self.looks) if looked.name != "done"), None)
        if last is not None and last.status is None:
            return "whether the device was still suspended at the last look was not read"
        if last is not None and last.status == GONE:
            return "at the last look its status read all-ones, so whether it was still suspended is not known"
        return ""

    @property
    def in_flight(self) -> int:
        """Requests that the device still had to work on when SUSPEND was written: 0 where it had used them all."""
        answering = [self.states[index] for index in self.answering if index in self.states]
        busy = any(state.device_index != state.driver_index for state in answering)
        return self.owed if busy else 0

    @property
    def waiting(self) -> int:
        """Requests that were left waiting over it."""
        return self.reaped.owed if self.reaped is not None else 0

    @property
    def finished(self) -> int:
        """Requests that were used between the write and the reaping."""
        return self.reaped.taken if self.reaped is not None else 0

    # -- what came after ---------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether it runs again, by whichever byte."""
        return any(each is not None and each.done for each in (self.resume, self.fallback))

    def listened(self, what: str) -> list[Listened]:
        """The waits for a notification of this kind after the resume."""
        return [event for event in self.after if isinstance(event, Listened) and event.what == what]

    @property
    def troubles(self) -> list[Trouble]:
        """What a driver or a workload found wrong after the resume, where no other statement is to blame."""
        return [
            event
            for event in self.after
            if isinstance(event, Trouble) and (event.rule not in BLAMED or event.rule in _TWICE)
        ]

    @property
    def traffic(self) -> list[Traffic]:
        """Fresh traffic after the resume."""
        return [event for event in self.after if isinstance(event, Traffic)]

    @property
    def drained(self) -> list[Drained]:
        """What has come back after the resume."""
        return [event for event in self.after if isinstance(event, Drained)]

    def evidence(self) -> Evidence:
        """As evidence."""
        found: Evidence = {"suspend": self.transition.to_json(), "outstanding_at_write": self.owed}
        if self.before is not None:
            found["before"] = self.before.to_json()
        names = {"done": "at_done", "held": "after"}
        for looked in self.looks:
            found.setdefault(names.get(looked.name, looked.name), looked.look.to_json())
        return found


def deviation_of(event: HistoryEvent) -> str:
    """The duty that an event deviates from in a way that what follows has to be read with that in mind; empty otherwise.

    Waking a device by a byte that sets DRIVER_OK is none: it is what a driver does in the end.
    """
    if not isinstance(event, Access | Published) or not event.deviation:
        return ""
    duty = event.deviation.partition(":")[0]
    if duty == "D7" and isinstance(event, Access) and event.value & Status.DRIVER_OK:
        return ""
    return duty


def suspends(window: Window, *allowed: str) -> list[Suspend]:
    """The suspends of a window, up to where a deviation that is not ``allowed`` may have had its effect.

    Such an effect lasts until the next reset.
    """
    key = ("suspends", *allowed)
    found = window.answers.get(key)
    if found is None:
        found = window.answers[key] = _Reader(window, allowed).read()
    return found


def _with_duties(window: Window) -> list[tuple[HistoryEvent, str]]:
    """The events of a window, each with the duty that it deviates from."""
    found: list[tuple[HistoryEvent, str]] | None = window.answers.get("events with duties")
    if found is None:
        found = window.answers["events with duties"] = [(event, deviation_of(event)) for event in window.events]
    return found


class _Reader:
    """Goes through a window once."""

    def __init__(self, window: Window, allowed: tuple[str, ...]) -> None:
        self._window = window
        self._allowed = allowed
        self._found: list[Suspend] = []
        self._current: Suspend | None = None
        self._before: Look | None = None
        self._loaded: Loaded | None = None
        self._tainted = False
        self._resuming = False
        self._is_suspended = (window.setting.speaks or V1_4).is_suspended

    def read(self) -> list[Suspend]:
        if not self._window.of(Transitioned):
            return self._found
        for event, duty in _with_duties(self._window):
            if type(event) is Access and event.name == _STATUS and event.kind == "write" and event.value == 0:
                self._current, self._tainted, self._before, self._loaded = None, False, None, None
                continue
            if duty and duty not in self._allowed:
                self._tainted = True
            if not self._tainted:
                self._take(event)
        return self._found

    def _take(self, event: HistoryEvent) -> None:
        current = self._current
        if type(event) is Access:
            if current is not None and event.name == _STATUS:
                self._status(current, event)
        elif type(event) is Transitioned:
            self._transition(event)
        elif type(event) is Looked and event.name == "before":
            self._before = event.look
        elif type(event) is Loaded:
            self._loaded = event
        elif current is not None:
            self._seen(current, event)

    def _status(self, current: Suspend, event: Access) -> None:
        if event.kind == "read":
            # The reads of the wait for a resume are neither of the time before nor of that after it.
            if current.resume is not None:
                current.statuses_after.append((event.last or event.time, event.value))
            elif not self._resuming:
                current.statuses.append((event.last or event.time, event.value))
                self._notice(current, event.value)
        elif current.resume is None:
            self._resuming = True
        elif event.value & Status.SUSPEND:
            self._current = None  # the next suspend is being asked for

    def _notice(self, current: Suspend, status: int | None) -> None:
        """Whether it has woken up by itself. A look whose own status shows that was taken too late to tell."""
        if status not in (None, GONE) and not self._is_suspended(status) and current.awake is None:
            current.awake = len(current.looks)

    def _transition(self, event: Transitioned) -> None:
        transition, current = event.transition, self._current
        if transition.kind == "suspend":
            self._current = Suspend(
                len(self._found) + 1, transition, event.time - transition.seconds, event.owed, event.states,
                event.answering, self._before, self._loaded, by_messages=bool(self._window.way),
            )  # fmt: skip
            self._found.append(self._current)
            self._loaded, self._resuming = None, False
        elif current is not None and current.resume is None:
            current.resume = transition
        elif current is not None:
            current.fallback = transition

    def _seen(self, current: Suspend, event: HistoryEvent) -> None:
        if current.resume is not None:
            current.after.append(event)
        elif type(event) is Looked:
            # One while it was asked to resume shows what a suspended device does as long as that was still its status.
            if event.name != "waking" or (event.look.status is not None and self._is_suspended(event.look.status)):
                self._notice(current, event.look.status)
                current.looks.append(event)
        elif type(event) is Prodded:
            current.prods.append(event)
        elif type(event) is Fired:
            current.fired.append(event)
        elif type(event) is Reaped and current.reaped is None:
            current.reaped, current.looks_before_reaping = event, len(current.looks)
