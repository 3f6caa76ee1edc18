"""What a device keeps over an event of its host: who has to be told of what."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from uvirtio.access.trace import Access
from uvirtio.queue import QueueState

from ..judging import names
from ..judging.events import Happened, Left, Listened
from ..judging.history import Window
from ..judging.observation import Observation, broken, kept, moot
from . import judges
from .common import silent_isr
from .over_event import OTHERWISE, after_event, final_left, left_at_event, stood_at, text_of

__all__: list[str] = []


def _events(window: Window, when: str) -> dict[int, tuple[int, QueueState]]:
    """What each queue's device wants to be notified of, as an index; nothing where it does not say so."""
    stood, found = stood_at(window, when), {}
    for index, state in stood.states.items() if stood is not None else ():
        event = state.flags.get("avail_event", state.flags.get("device_event.desc"))
        if event is not None and state.flags.get("device_event.flags", 2) == 2:
            found[index] = event, state
    return found


def _forward(state: QueueState, start: int, end: int) -> int:
    """How far ``end`` lies before ``start`` in the order of the ring."""
    if state.format != "packed":
        return (end - start) & 0xFFFF
    first, last = ((each & 0x7FFF) + (0 if each >> 15 else state.size) for each in (start, end))
    return (last - first) % (2 * state.size)


def _gone_back(window: Window) -> list[str]:
    """Queues whose device asks for a notification of what is past, or of what never comes, as sentences."""
    before, after, found = _events(window, names.BEFORE_EVENT), _events(window, names.AFTER_EVENT), []
    for index, (event, state) in before.items():
        if index in after and (now := after[index][0]) != event:
            moved = _forward(state, event, now)
            if moved > _forward(state, event, after[index][1].driver_index):
                found.append(f"queue {index}: {event:#x} -> {now:#x}, the driver stands at {state.driver_index:#x}")
    return found


def _kicks(window: Window) -> int:
    """Notifications since the event."""
    event = window.of(Happened)[0]
    return sum(
        each.kind == "write" and (each.space == "notify" or each.name == "queue_notify")
        for each in window.since(event)
        if isinstance(each, Access)
    )


def _woken(window: Window) -> Left | None:
    """The moment at which a notification that nobody owed brought buffers back; None where none was needed."""
    lefts = window.of(Left)
    for before, after in pairwise(lefts):
        if after.returned and after.when == names.FORCED:
            return after
        if before.when == names.UNTOLD and after.notified < before.notified:
            return after
    return None


@judges("U6")
@after_event
def suppression(window: Window, event: Happened) -> Iterator[Observation]:
    """No notification was suppressed that the device waits for."""
    final = final_left(window)
    if not _events(window, names.BEFORE_EVENT):
        yield moot(
            "the device says nothing of which notification it wants: EVENT_IDX was not negotiated, or nothing was served"
        )
    elif final is None:
        yield moot(OTHERWISE)
    elif _woken(window) is not None and (back := _gone_back(window)):
        yield broken(
            f"the device asks for notifications of what is past after {event.name}", text_of("U6"),
            f"{'; '.join(back)}; so the driver's notifications were suppressed, and a notification all the same brought "
            "everything back",
        )  # fmt: skip
    elif final.out:
        yield moot("nothing shows what the device waits for: buffers are out")
    else:
        yield kept("the device was notified of what it waited for")


@judges("U7")
@after_event
def untold(window: Window, event: Happened) -> Iterator[Observation]:
    """What was notified, or need not be, came back by itself."""
    start, final = left_at_event(window), final_left(window)
    if start is None or final is None:
        yield moot(OTHERWISE)
    elif (woken := _woken(window)) is not None and not _gone_back(window):
        yield broken(
            f"what was available needed one more notification after {event.name}", text_of("U7"),
            f"{woken.returned} buffers came back {woken.when} and not before",
        )  # fmt: skip
    elif final.out:
        yield moot("buffers are out that no notification brings back")
    elif start.notified:
        yield kept(f"{start.notified} buffers came back with no further notification")
    else:
        yield moot("nothing that had been notified was out at the event")


@judges("U8")
@after_event
def notified(window: Window, event: Happened) -> Iterator[Observation]:
    """The notification that was due at the event came, and so did one of a request after it."""
    if why := silent_isr(window):
        yield moot(why)
        return
    heard = [each for each in window.of(Listened) if each.about in (names.PENDING, names.TOLD_AGAIN)]
    for each in heard:
        if not each.shown:
            how = "interrupt" if each.what == "line" else "notification"
            what = "that was due at the event" if each.about == names.PENDING else "of a request after it"
            yield broken(
                f"no {how} came after {event.name}",
                text_of("U8"),
                f"the {how} {what} did not come within {each.limit:g} s",
            )
            return
    if heard:
        yield kept(f"{len(heard)} notifications came, among them those of requests after the event")
    else:
        yield moot(OTHERWISE)
