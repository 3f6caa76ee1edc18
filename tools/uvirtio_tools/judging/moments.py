"""The moments of a window that a story is told by: what stood in registers, rings and interrupts, and when.

A document keeps them for a verdict against the device, up to the moment at which it was seen, so that any report can draw them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from uvirtio.access.trace import Access, Message, Published, Strayed, Used, Wrong

from .events import Ended, Fired, HistoryEvent, Looked, Transitioned, Trouble
from .history import Window

__all__ = ["INTERRUPTS", "LANES", "REGISTERS", "RING", "MOST", "moments", "until"]

REGISTERS, RING, INTERRUPTS = "registers", "ring", "interrupts"
LANES = (REGISTERS, RING, INTERRUPTS)
#: Moments kept per story: the newest.
MOST = 160

Moment = dict[str, Any]


def until(window: Window, evidence: Mapping[str, object]) -> list[HistoryEvent]:
    """The events of a window up to the one in which a thing was seen: the last look that it rests on, or what went wrong."""
    events = window.events
    times = [float(look["time"]) for look in evidence.values() if isinstance(look, dict) and "time" in look]
    if times:
        last = max(times)
        for position in range(len(events) - 1, -1, -1):
            event = events[position]
            if isinstance(event, Looked) and event.look.time == last:
                return events[: position + 1]
        return [event for event in events if event.time <= last]
    for position, event in enumerate(events):
        if isinstance(event, Wrong | Strayed | Trouble | Ended):
            return events[: position + 1]
    return events


def moments(events: Sequence[HistoryEvent], limit: int = MOST) -> list[Moment]:
    """The newest of them as JSON objects: ``time`` (s), ``lane``, ``kind``, ``text``, and for repeated reads ``until``.

    ``status`` is with the accesses of the device status, as a number.
    """
    found = list(_moments(events))
    return found[-limit:]


def _moment(event: HistoryEvent, lane: str, kind: str, text: str, **more: object) -> Moment:
    return {"time": round(event.time, 9), "lane": lane, "kind": kind, "text": text, **more}


def _moments(events: Sequence[HistoryEvent]) -> Iterator[Moment]:
    before: Looked | None = None
    for event in events:
        match event:
            case Access():
                yield _access(event)
            case Published():
                yield _moment(event, RING, "available", f"queue {event.queue}: {event.name} {event.value:#x}")
            case Used():
                yield _moment(
                    event, RING, "used", f"queue {event.queue}: buffer {event.token} is used, {event.length} bytes"
                )
            case Message():
                yield _moment(event, INTERRUPTS, "message", f"message of vector {event.vector} ({event.way})")
            case Looked():
                yield from _look(event, before)
                before = event
            case Transitioned():
                transition = event.transition
                outcome = transition.outcome.name.lower().replace("_", " ")
                yield _moment(event, REGISTERS, "transition", f"{transition.kind}: {outcome}")
            case Wrong() | Trouble() | Ended():
                yield _moment(event, RING, "wrong", event.text)
            case Strayed():
                yield _moment(event, RING, "wrong", f"the device wrote beside {event.piece}")
            case Fired():
                yield _moment(event, REGISTERS, "host", f"the host side: {event.name}")


def _access(event: Access) -> Moment:
    lane = INTERRUPTS if event.space == "isr" else REGISTERS
    text = f"{event.kind} {event.name} {event.value:#x}"
    if event.space == "notify":
        text = f"notification of queue {event.value & 0xFFFF}"
    moment = _moment(event, lane, event.kind, text, value=event.value)
    if event.space == "common" and event.name == "device_status":
        moment["status"] = event.value
    if event.repeats > 1:
        moment |= {"until": round(event.last, 9), "count": event.repeats}
    return moment


def _look(event: Looked, before: Looked | None) -> Iterator[Moment]:
    """A look, and what it showed to have happened since the one before."""
    look = event.look
    yield _moment(event, RING, "look", event.name)
    if before is None:
        return
    for queue, index in look.used.items():
        was = before.look.used.get(queue, index)
        if was != index:
            yield _moment(event, RING, "moved", f"queue {queue}: used index {was} -> {index}")
    if (more := look.interrupts - before.look.interrupts) > 0:
        yield _moment(event, INTERRUPTS, "delivered", f"{more} interrupts delivered", count=more)
