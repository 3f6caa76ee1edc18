"""What a device keeps over an event of its host (U rows): the buffers, and its places in the rings."""

from __future__ import annotations

from collections.abc import Iterator

from ..judging import names
from ..judging.events import Happened, Traffic
from ..judging.history import Window
from ..judging.observation import Observation, broken, kept, moot
from . import judges
from .over_event import (
    OTHERWISE,
    after_event,
    final_left,
    has_packed_rings,
    left_at_event,
    serves_nothing,
    stood_at,
    text_of,
    troubles_of,
)

__all__: list[str] = []


def _in_process(window: Window) -> list[int]:
    """Queues of which the device had been notified, and which it had not done with."""
    stood = stood_at(window, names.BEFORE_EVENT)
    if stood is None:
        return []
    return [
        index
        for index, told in stood.told.items()
        if index in stood.states and stood.states[index].device_index != told
    ]


@judges("U1")
@after_event
def in_process(window: Window, event: Happened) -> Iterator[Observation]:
    """Older buffers are out although younger ones of the same queue have come back."""
    start, final = left_at_event(window), final_left(window)
    if start is None or final is None:
        yield moot(OTHERWISE)
    elif final.overtaken:
        yield broken(
            f"{final.overtaken} buffers that the device had taken never came back after {event.name}", text_of("U1"),
            f"{final.overtaken} buffers are still out, while later ones of the same queue came back",
            out=final.out, overtaken=final.overtaken,
        )  # fmt: skip
    elif not (busy := _in_process(window)):
        yield moot("nothing was in process at the event")
    elif final.out == 0:
        yield kept(f"what {len(busy)} queues had in process came back, with all of {start.out} buffers that were out")
    else:
        yield moot(f"{final.out} buffers are out, and it does not show that any of them was in process")


@judges("U2")
@after_event
def available(window: Window, event: Happened) -> Iterator[Observation]:
    """The last buffers that were available are out although fresh ones were served; or nothing at all is served."""
    start, final = left_at_event(window), final_left(window)
    if start is None or final is None:
        yield moot(OTHERWISE)
    elif serves_nothing(final) and has_packed_rings(window):
        yield moot("nothing is served any more: see U5")
    elif serves_nothing(final):
        yield broken(
            f"the device takes nothing from its queues after {event.name}", text_of("U2"),
            f"{final.out} buffers are out, {final.fresh} of them made available after the event, and notifying did not help",
            out=final.out,
        )  # fmt: skip
    elif final.out > final.overtaken:
        yield broken(
            f"the device passed over {final.out - final.overtaken} buffers after {event.name}", text_of("U2"),
            f"{final.notified} buffers that were notified before the event and {final.waiting} that were available are out; "
            "later ones were served",
            out=final.out,
        )  # fmt: skip
    elif final.out:
        yield moot("what is out had been taken: see U1")
    elif start.waiting:
        yield kept(f"{start.waiting} buffers that were available and not notified, and all later ones, were served")
    else:
        yield moot("nothing was available at the event that had not been notified")


@judges("U3")
@after_event
def once(window: Window, event: Happened) -> Iterator[Observation]:
    """No id came back that was not in flight."""
    doubled = troubles_of(window, rule="used id") or ([] if _jumped(window) else troubles_of(window, rule="used index"))
    if doubled:
        yield broken(f"a buffer was used twice after {event.name}", text_of("U3"), doubled[0].text)
    elif final_left(window) is None:
        yield moot(OTHERWISE)
    elif any(each.doing == names.WORKING for each in window.of(Traffic)):
        yield kept("each buffer came back once")
    else:
        yield moot("no traffic came through after the event, so nothing shows what was done twice")


def _jumped(window: Window) -> bool:
    """Whether a used index is further on than anything could have been used, be it twice."""
    stood = stood_at(window, names.WRONG)
    return stood is None or any(
        state.format == "split" and (state.device_index - state.seen) & 0xFFFF > state.size
        for state in stood.states.values()
    )


@judges("U4")
@after_event
def used(window: Window, event: Happened) -> Iterator[Observation]:
    """The used index of a split ring made no jump."""
    if (jumped := troubles_of(window, rule="used index")) and _jumped(window):
        yield broken(f"the used index jumped over {event.name}", text_of("U4"), jumped[0].text)
    elif has_packed_rings(window):
        yield moot("a packed ring has no used index: see U5")
    elif (final := final_left(window)) is None:
        yield moot(OTHERWISE)
    elif final.out:
        yield moot("nothing shows where the device stands: buffers are out")
    else:
        yield kept("the used index went on from where it stood")


@judges("U5")
@after_event
def wrapped(window: Window, event: Happened) -> Iterator[Observation]:
    """A packed ring is served: with a wrong wrap counter what is available does not look so, and what is used is not seen."""
    final = final_left(window)
    if not has_packed_rings(window):
        yield moot("the queues are split: they have no wrap counters")
    elif flags := troubles_of(window, rule="flags"):
        yield broken(f"used descriptors are not as they have to be after {event.name}", text_of("U5"), flags[0].text)
    elif final is None:
        yield moot(OTHERWISE)
    elif serves_nothing(final):
        yield broken(
            f"a packed ring is dead after {event.name}", text_of("U5"),
            f"{final.out} buffers are out, {final.fresh} of them made available after the event; notifying did not help, and the "
            "device has not failed: its place or its wrap counter is not what it was",
            out=final.out,
        )  # fmt: skip
    else:
        yield kept("the packed ring was served on from where it stood")
