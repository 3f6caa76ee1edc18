"""What is asked of a window with an event of the host: what was out, where both sides stood, what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps

from uvirtio.spec.statements import STATEMENTS
from uvirtio.spec.status import Status

from ..judging import names
from ..judging.events import Happened, Left, Stood, Trouble
from ..judging.history import Window
from ..judging.observation import Observation, moot
from . import Function

__all__ = [
    "OTHERWISE",
    "after_event",
    "final_left",
    "has_packed_rings",
    "left_at_event",
    "serves_nothing",
    "stood_at",
    "text_of",
    "troubles_of",
]

#: Events after which a device begins anew, as it has to.
_RESETTING = ("reset", "replug", "flr")
#: Events that take the power from a device, which may be reset by that unless its power management says No_Soft_Reset.
_SLEEPING = ("sleep", "d3hot")
#: Why a statement has no occasion where what it is about was not reached.
OTHERWISE = "something else went wrong after the event first"


def after_event(judge: Callable[[Window, Happened], Iterator[Observation]]) -> Function:
    """Only windows with an event are judged, and one that could not be had is no occasion."""

    @wraps(judge)
    def judged(window: Window) -> Iterator[Observation]:
        for event in window.of(Happened)[:1]:
            if event.trouble:
                yield moot(f"{event.name} could not be had: {event.trouble}")
            elif event.name in _RESETTING:
                yield moot(f"the device begins anew after {event.name}")
            elif _slept(event) and _begins_anew(window):
                yield moot(
                    f"the machine slept ({event.name}), and the device does not run any more, which may be: it was reset"
                )
            else:
                yield from judge(window, event)

    return judged


def _slept(event: Happened) -> bool:
    return event.name in _SLEEPING or event.noticed.startswith("the machine slept")


def _begins_anew(window: Window) -> bool:
    stood = stood_at(window, names.AFTER_EVENT)
    return stood is not None and not stood.status & (Status.DRIVER_OK | Status.SUSPEND | Status.DEVICE_NEEDS_RESET)


def text_of(id_: str) -> str:
    """What a statement demands."""
    return STATEMENTS[id_].text


def final_left(window: Window) -> Left | None:
    """What was out in the end; None where the end was not reached."""
    lefts = window.of(Left)
    last = lefts[-1] if lefts else None
    if last is None or troubles_of(window) or (last.out and last.when != names.FORCED):
        return None
    return last if last.when in (names.FRESHLY, names.FORCED) else None


def troubles_of(window: Window, *kinds: str, rule: str = "") -> list[Trouble]:
    """What the device did that made the driver give up, of these kinds of errors, by this rule; all where nothing is said."""
    return [
        each for each in window.of(Trouble) if (not kinds or each.kind in kinds) and (not rule or each.rule == rule)
    ]


def stood_at(window: Window, when: str) -> Stood | None:
    """Where device and driver stood before or after the event."""
    return next((each for each in window.of(Stood) if each.when == when), None)


def left_at_event(window: Window) -> Left | None:
    """What was out at the event."""
    return next((each for each in window.of(Left) if each.when == names.AFTER_EVENT), None)


def has_packed_rings(window: Window) -> bool:
    """Whether the queues are packed."""
    stood = stood_at(window, names.BEFORE_EVENT)
    return stood is not None and any(state.format == "packed" for state in stood.states.values())


def serves_nothing(final: Left) -> bool:
    """Whether not even fresh requests are served, whatever is notified."""
    return final.when == names.FORCED and final.fresh > 0
