"""What a device keeps over an event of its host: buffers, places in rings, notifications, registers (U rows)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from itertools import pairwise

from uvirtio.access.trace import Access
from uvirtio.queue import QueueState
from uvirtio.spec.statements import STATEMENTS
from uvirtio.spec.status import GONE, Status, describe

from ..judging import names
from ..judging.events import Happened, Left, Listened, Looked, Portrayed, Stood, Traffic, Trouble
from ..judging.history import Window
from ..judging.looks import changed, moved_indices
from ..judging.observation import Observation, broken, kept, moot, told
from . import Function, judges
from .common import dialect_of, numbers, silent_isr

__all__: list[str] = []

#: Events after which a device begins anew, as it has to.
RESETTING = ("reset", "replug", "flr")
#: Events that take the power from a device, which may be reset by that unless its power management says No_Soft_Reset.
SLEEPING = ("sleep", "d3hot")
_OTHERWISE = "something else went wrong after the event first"
#: What is blamed on other statements than U15, of troubles: rules, and the kinds of errors.
_OTHERS = ("used id", "used index", "flags", "resume")
_FAILED = "DeviceNeedsReset"


def _after(judge: Callable[[Window, Happened], Iterator[Observation]]) -> Function:
    """Only windows with an event are judged, and one that could not be had is no occasion."""

    @wraps(judge)
    def judged(window: Window) -> Iterator[Observation]:
        for event in window.of(Happened)[:1]:
            if event.trouble:
                yield moot(f"{event.name} could not be had: {event.trouble}")
            elif event.name in RESETTING:
                yield moot(f"the device begins anew after {event.name}")
            elif _slept(event) and _begins_anew(window):
                yield moot(
                    f"the machine slept ({event.name}), and the device does not run any more, which may be: it was reset"
                )
            else:
                yield from judge(window, event)

    return judged


def _slept(event: Happened) -> bool:
    return event.name in SLEEPING or event.noticed.startswith("the machine slept")


def _begins_anew(window: Window) -> bool:
    stood = _stood(window, names.AFTER_EVENT)
    return stood is not None and not stood.status & (Status.DRIVER_OK | Status.SUSPEND | Status.DEVICE_NEEDS_RESET)


def _text(id_: str) -> str:
    return STATEMENTS[id_].text


def _lefts(window: Window) -> list[Left]:
    return window.of(Left)


def _final(window: Window) -> Left | None:
    """What was out in the end; None where the end was not reached."""
    lefts = _lefts(window)
    last = lefts[-1] if lefts else None
    if last is None or _troubles(window) or (last.out and last.when != names.FORCED):
        return None
    return last if last.when in (names.FRESHLY, names.FORCED) else None


def _troubles(window: Window, *kinds: str, rule: str = "") -> list[Trouble]:
    return [
        each for each in window.of(Trouble) if (not kinds or each.kind in kinds) and (not rule or each.rule == rule)
    ]


def _stood(window: Window, when: str) -> Stood | None:
    return next((each for each in window.of(Stood) if each.when == when), None)


def _start(window: Window) -> Left | None:
    """What was out at the event."""
    return next((each for each in _lefts(window) if each.when == names.AFTER_EVENT), None)


def _packed(window: Window) -> bool:
    stood = _stood(window, names.BEFORE_EVENT)
    return stood is not None and any(state.format == "packed" for state in stood.states.values())


def _dead(final: Left) -> bool:
    """Whether not even fresh requests are served, whatever is notified."""
    return final.when == names.FORCED and final.fresh > 0


# -- buffers -----------------------------------------------------------------------------------------------------------


def _in_process(window: Window) -> list[int]:
    """Queues of which the device had been notified, and which it had not done with."""
    stood = _stood(window, names.BEFORE_EVENT)
    if stood is None:
        return []
    return [
        index
        for index, told in stood.told.items()
        if index in stood.states and stood.states[index].device_index != told
    ]


@judges("U1")
@_after
def in_process(window: Window, event: Happened) -> Iterator[Observation]:
    """Older buffers are out although younger ones of the same queue have come back."""
    start, final = _start(window), _final(window)
    if start is None or final is None:
        yield moot(_OTHERWISE)
    elif final.overtaken:
        yield broken(
            f"{final.overtaken} buffers that the device had taken never came back after {event.name}", _text("U1"),
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
@_after
def available(window: Window, event: Happened) -> Iterator[Observation]:
    """The last buffers that were available are out although fresh ones were served; or nothing at all is served."""
    start, final = _start(window), _final(window)
    if start is None or final is None:
        yield moot(_OTHERWISE)
    elif _dead(final) and _packed(window):
        yield moot("nothing is served any more: see U5")
    elif _dead(final):
        yield broken(
            f"the device takes nothing from its queues after {event.name}", _text("U2"),
            f"{final.out} buffers are out, {final.fresh} of them made available after the event, and notifying did not help",
            out=final.out,
        )  # fmt: skip
    elif final.out > final.overtaken:
        yield broken(
            f"the device passed over {final.out - final.overtaken} buffers after {event.name}", _text("U2"),
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
@_after
def once(window: Window, event: Happened) -> Iterator[Observation]:
    """No id came back that was not in flight."""
    doubled = _troubles(window, rule="used id") or ([] if _jumped(window) else _troubles(window, rule="used index"))
    if doubled:
        yield broken(f"a buffer was used twice after {event.name}", _text("U3"), doubled[0].text)
    elif _final(window) is None:
        yield moot(_OTHERWISE)
    elif any(each.doing == names.WORKING for each in window.of(Traffic)):
        yield kept("each buffer came back once")
    else:
        yield moot("no traffic came through after the event, so nothing shows what was done twice")


def _jumped(window: Window) -> bool:
    """Whether a used index is further on than anything could have been used, be it twice."""
    stood = _stood(window, names.WRONG)
    return stood is None or any(
        state.format == "split" and (state.device_index - state.seen) & 0xFFFF > state.size
        for state in stood.states.values()
    )


@judges("U4")
@_after
def used(window: Window, event: Happened) -> Iterator[Observation]:
    """The used index of a split ring made no jump."""
    if (jumped := _troubles(window, rule="used index")) and _jumped(window):
        yield broken(f"the used index jumped over {event.name}", _text("U4"), jumped[0].text)
    elif _packed(window):
        yield moot("a packed ring has no used index: see U5")
    elif (final := _final(window)) is None:
        yield moot(_OTHERWISE)
    elif final.out:
        yield moot("nothing shows where the device stands: buffers are out")
    else:
        yield kept("the used index went on from where it stood")


@judges("U5")
@_after
def wrapped(window: Window, event: Happened) -> Iterator[Observation]:
    """A packed ring is served: with a wrong wrap counter what is available does not look so, and what is used is not seen."""
    final = _final(window)
    if not _packed(window):
        yield moot("the queues are split: they have no wrap counters")
    elif flags := _troubles(window, rule="flags"):
        yield broken(f"used descriptors are not as they have to be after {event.name}", _text("U5"), flags[0].text)
    elif final is None:
        yield moot(_OTHERWISE)
    elif _dead(final):
        yield broken(
            f"a packed ring is dead after {event.name}", _text("U5"),
            f"{final.out} buffers are out, {final.fresh} of them made available after the event; notifying did not help, and the "
            "device has not failed: its place or its wrap counter is not what it was",
            out=final.out,
        )  # fmt: skip
    else:
        yield kept("the packed ring was served on from where it stood")


# -- who has to be told ------------------------------------------------------------------------------------------------


def _events(window: Window, when: str) -> dict[int, tuple[int, QueueState]]:
    """What each queue's device wants to be notified of, as an index; nothing where it does not say so."""
    stood, found = _stood(window, when), {}
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
    lefts = _lefts(window)
    for before, after in pairwise(lefts):
        if after.returned and after.when == names.FORCED:
            return after
        if before.when == names.UNTOLD and after.notified < before.notified:
            return after
    return None


@judges("U6")
@_after
def suppression(window: Window, event: Happened) -> Iterator[Observation]:
    """No notification was suppressed that the device waits for."""
    final = _final(window)
    if not _events(window, names.BEFORE_EVENT):
        yield moot(
            "the device says nothing of which notification it wants: EVENT_IDX was not negotiated, or nothing was served"
        )
    elif final is None:
        yield moot(_OTHERWISE)
    elif _woken(window) is not None and (back := _gone_back(window)):
        yield broken(
            f"the device asks for notifications of what is past after {event.name}", _text("U6"),
            f"{'; '.join(back)}; so the driver's notifications were suppressed, and a notification all the same brought "
            "everything back",
        )  # fmt: skip
    elif final.out:
        yield moot("nothing shows what the device waits for: buffers are out")
    else:
        yield kept("the device was notified of what it waited for")


@judges("U7")
@_after
def untold(window: Window, event: Happened) -> Iterator[Observation]:
    """What was notified, or need not be, came back by itself."""
    start, final = _start(window), _final(window)
    if start is None or final is None:
        yield moot(_OTHERWISE)
    elif (woken := _woken(window)) is not None and not _gone_back(window):
        yield broken(
            f"what was available needed one more notification after {event.name}", _text("U7"),
            f"{woken.returned} buffers came back {woken.when} and not before",
        )  # fmt: skip
    elif final.out:
        yield moot("buffers are out that no notification brings back")
    elif start.notified:
        yield kept(f"{start.notified} buffers came back with no further notification")
    else:
        yield moot("nothing that had been notified was out at the event")


@judges("U8")
@_after
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
                _text("U8"),
                f"the {how} {what} did not come within {each.limit:g} s",
            )
            return
    if heard:
        yield kept(f"{len(heard)} notifications came, among them those of requests after the event")
    else:
        yield moot(_OTHERWISE)


# -- registers ---------------------------------------------------------------------------------------------------------


def _portraits(window: Window) -> tuple[Portrayed, Portrayed] | None:
    found = {each.which: each for each in window.of(Portrayed)}
    if names.BEFORE_EVENT in found and names.AFTER_EVENT in found:
        return found[names.BEFORE_EVENT], found[names.AFTER_EVENT]
    return None


def _same(id_: str, window: Window, event: Happened, wanted: Callable[[str], bool]) -> Iterator[Observation]:
    """Registers of a kind read as before."""
    portraits = _portraits(window)
    if portraits is None:
        yield moot(_OTHERWISE)
        return
    before, after = ({name: value for name, value in each.lasting.items() if wanted(name)} for each in portraits)
    other = [f"{name}: {value} -> {after.get(name)}" for name, value in before.items() if after.get(name) != value]
    if other:
        yield broken(f"registers read otherwise after {event.name}", _text(id_), "; ".join(other))
    elif before:
        yield kept(f"{len(before)} registers read as before {event.name}")
    else:
        yield moot("there is no such register here")


def _is_vector(name: str) -> bool:
    return "msix_vector" in name or name == names.MSIX


def _is_queue(name: str) -> bool:
    return name.startswith("queue_") and not _is_vector(name)


@judges("U9")
@_after
def vectors(window: Window, event: Happened) -> Iterator[Observation]:
    """The vectors read as before, where there are any."""
    portraits = _portraits(window)
    if portraits is not None and names.MSIX not in portraits[0].lasting:
        yield moot("MSI-X is not used")
    else:
        yield from _same("U9", window, event, _is_vector)


@judges("U10")
@_after
def features(window: Window, event: Happened) -> Iterator[Observation]:
    """Offered and accepted features read as before, where the accepted ones can be read at all."""
    portraits, shown = _portraits(window), ["offered features"]
    if portraits is not None and portraits[0].lasting.get("driver_feature") != "0x0":
        shown.append("driver_feature")
    yield from _same("U10", window, event, lambda name: name in shown)


@judges("U11")
@_after
def configuration(window: Window, event: Happened) -> Iterator[Observation]:
    """The configuration reads as before, or the driver was told."""
    portraits = _portraits(window)
    if portraits is None:
        yield moot(_OTHERWISE)
    elif not portraits[0].config:
        yield moot("the device has no configuration, or one that never holds still")
    elif portraits[0].config == portraits[1].config:
        yield kept("the configuration reads as before")
    elif any(told_of := numbers(window, names.CONTROL_BIT)):
        yield kept(f"the configuration has changed over {event.name}, and that was notified")
    elif not told_of:
        yield moot("the configuration has changed, and whether that is notified was not waited for")
    else:
        yield broken(
            f"the configuration is another after {event.name}, and nothing told of it", _text("U11"),
            f"{portraits[0].config} -> {portraits[1].config}",
        )  # fmt: skip


@judges("U12")
@_after
def status(window: Window, event: Happened) -> Iterator[Observation]:
    """The status reads as before, and the device does not fail at what was out."""
    before, after = _stood(window, names.BEFORE_EVENT), _stood(window, names.AFTER_EVENT)
    failed = _troubles(window, _FAILED)
    if before is None or after is None:
        yield moot(_OTHERWISE)
    elif not before.status & Status.DRIVER_OK:
        yield moot("the device was suspended: see U16")
    elif after.status == GONE:
        yield moot("the device is gone")
    elif after.status != before.status:
        yield broken(
            f"the status is another after {event.name}", _text("U12"),
            f"{describe(before.status)} -> {describe(after.status)}",
        )  # fmt: skip
    elif failed:
        yield broken(f"the device needs a reset after {event.name}", _text("U12"), failed[0].text)
    else:
        yield kept(f"the status reads {describe(after.status)} as before")


@judges("U13")
@_after
def queues(window: Window, event: Happened) -> Iterator[Observation]:
    """Size, addresses and enablement of queues read as before."""
    yield from _same("U13", window, event, _is_queue)


@judges("U14")
@_after
def function(window: Window, event: Happened) -> Iterator[Observation]:
    """Ids, BARs, the driver's bits of the command register, and the number of queues read as before."""
    yield from _same("U14", window, event, lambda name: name in ("identity", "BARs", "command", "number of queues"))


@judges("U15")
@_after
def contents(window: Window, event: Happened) -> Iterator[Observation]:
    """The workload has checked what came back."""
    wrong = [each for each in _troubles(window) if each.rule not in _OTHERS and each.kind != _FAILED]
    if wrong:
        yield broken(f"requests are not carried out as before after {event.name}", _text("U15"), wrong[0].text)
    elif served := [each for each in window.of(Traffic) if each.doing == names.WORKING]:
        yield kept(f"{served[0].completed} more requests were carried out, and what came back was right")
    else:
        yield moot(_OTHERWISE)


# -- suspended ---------------------------------------------------------------------------------------------------------


@judges("U16")
@_after
def asleep(window: Window, event: Happened) -> Iterator[Observation]:
    """A suspended device shows itself suspended, with rings and buffers as they were."""
    before, after = _stood(window, names.BEFORE_EVENT), _stood(window, names.AFTER_EVENT)
    dialect = dialect_of(window)
    if before is None or after is None or not dialect.is_suspended(before.status):
        yield moot("the device was not suspended at the event")
        return
    if after.status != before.status:
        yield broken(
            f"the device is not suspended any more after {event.name}", _text("U16"),
            f"{describe(before.status)} -> {describe(after.status)}",
        )  # fmt: skip
        return
    if stuck := _troubles(window, rule="resume"):
        yield broken(f"the device does not resume after {event.name}", _text("U16"), stuck[0].text)
        return
    looks = window.of(Looked)
    settled = next((each.look for each in reversed(looks) if each.name == "settled"), None)
    later = next((each.look for each in looks if each.name == names.AFTER_EVENT), None)
    if settled is None or later is None:
        yield moot(_OTHERWISE)
    elif touched := [*moved_indices(settled, later), *changed(settled, later)]:
        yield broken(f"a suspended device touched memory over {event.name}", _text("U16"), "; ".join(touched))
    else:
        yield kept(
            f"suspended before {event.name} and after it, with {len(later.memory)} pieces of memory as they were"
        )


@judges("U17")
def stood_still(window: Window) -> Iterator[Observation]:
    """As long as the event took, or as is missing in the time."""
    for event in window.of(Happened)[:1]:
        if event.trouble:
            yield moot(f"{event.name} could not be had: {event.trouble}")
        else:
            how = "" if event.announced else f", noticed by {event.noticed}"
            yield told(f"{event.name}: {event.seconds:.3f} s{how}", seconds=event.seconds)
