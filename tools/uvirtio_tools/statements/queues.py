"""Virtqueues: rings, buffers, used entries, queue reset (2.6 to 2.8, 6.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from uvirtio.access.trace import Added, Strayed, Used, Wrong
from uvirtio.spec.features import Feature
from uvirtio.spec.statements import STATEMENTS

from ..judging import names
from ..judging.events import Looked, Traffic, Trouble
from ..judging.history import Window
from ..judging.looks import changed, moved_indices
from ..judging.observation import Observation, broken, kept, moot
from . import judges
from .common import records, values

__all__: list[str] = []

#: What a device breaks by its used entries -> the rules that a queue names it by.
_RULES = {"Q5": ("descriptor",), "Q6": ("used id", "used index", "flags"), "Q7": ("used length",), "Q10": ("order",)}


@dataclass(slots=True)
class _Rings:
    """What went through the queues in a window."""

    used: int = 0
    readable: bool = False
    wrong: dict[str, list[str]] = field(default_factory=dict)
    strays: list[Strayed] = field(default_factory=list)


def _rings(window: Window) -> _Rings:
    found: _Rings | None = window.answers.get(_Rings)
    if found is None:
        found, with_readable = _Rings(), set[tuple[int, int]]()
        for event in window.events:
            if type(event) is Used:
                found.used += 1
                found.readable |= (event.queue, event.token) in with_readable
            elif type(event) is Added:
                (with_readable.add if event.readable else with_readable.discard)((event.queue, event.token))
            elif type(event) is Wrong or (type(event) is Trouble and event.rule):
                texts = found.wrong.setdefault(event.rule, [])
                if event.text not in texts:
                    texts.append(event.text)
            elif type(event) is Strayed:
                found.strays.append(event)
        window.answers[_Rings] = found
    return found


def _where(stray: Strayed) -> str:
    """As a sentence: queue, token and address are in it."""
    whose = f"queue {stray.queue}, buffer {stray.token}: " if stray.token >= 0 else ""
    if stray.first >= 0 and stray.last < stray.size:
        bytes_ = f"bytes {stray.first} to {stray.last} of it were written"
    else:
        bytes_ = f"bytes {stray.first} to {stray.last} were written, counted from its beginning"
    return f"{whose}{stray.piece}, {stray.size} bytes at {stray.address:#x}: {bytes_}"


def _judge_writes(id_: str, mine: Callable[[Strayed], bool], occasion: Callable[[_Rings], bool], summary: str) -> None:
    @judges(id_)
    def writes(window: Window) -> Iterator[Observation]:
        """Every buffer, ring and table lies between guard zones, and they are looked at as buffers come back."""
        rings = _rings(window)
        if strays := [_where(stray) for stray in rings.strays if mine(stray)]:
            yield broken(summary, STATEMENTS[id_].text, "; ".join(dict.fromkeys(strays[:4])))
        elif rings.used and not occasion(rings):
            yield moot("no buffer of this device has a part that it may only read")
        elif rings.used:
            yield kept(f"{rings.used} buffers came back, and nothing around them has changed")


def _inside(stray: Strayed) -> bool:
    return stray.piece.startswith("readable") and stray.first >= 0 and stray.last < stray.size


_judge_writes(
    "Q3", _inside, lambda rings: rings.readable, "the device wrote to a part of a buffer that it may only read"
)
_judge_writes(
    "Q4", lambda stray: not _inside(stray), lambda _: True, "the device wrote beside the memory that it was given"
)


def _judge_entries(id_: str, rules: tuple[str, ...]) -> None:
    @judges(id_)
    def entries(window: Window) -> Iterator[Observation]:
        """The queue looks at all that the device puts into its ring, in every scenario."""
        rings = _rings(window)
        if wrong := [text for rule in rules for text in rings.wrong.get(rule, ())]:
            yield broken("the device did to a ring what it may not", STATEMENTS[id_].text, "; ".join(wrong[:4]))
        elif id_ == "Q10" and not (window.started and window.started.accepted >> Feature.IN_ORDER & 1):
            if rings.used:
                yield moot("IN_ORDER was not negotiated")
        elif rings.used > 1:
            yield kept(f"{rings.used} buffers came back as they have to")


for _id, _of in _RULES.items():
    _judge_entries(_id, _of)


@judges("Q8")
def flags_of_used_rings(window: Window) -> Iterator[Observation]:
    """In every look at a split ring."""
    events = bool(window.started and window.started.accepted >> Feature.EVENT_IDX & 1)
    seen = [
        (index, state.flags["used.flags"])
        for event in window.of(Looked)
        for index, state in event.look.states.items()
        if "used.flags" in state.flags
    ]
    allowed = (0,) if events else (0, 1)
    wrong = dict.fromkeys(f"queue {index}: flags {value:#x}" for index, value in seen if value not in allowed)
    if wrong:
        how = "with" if events else "without"
        yield broken(
            f"a used ring has flags that it may not have {how} EVENT_IDX", STATEMENTS["Q8"].text, "; ".join(wrong)
        )
    elif not seen and any(event.look.states for event in window.of(Looked)):
        yield moot("the queues are packed: their used buffers have no flags of this kind")
    elif seen and window.of(Traffic):
        yield kept(
            f"flags were {' or '.join(str(value) for value in sorted({value for _, value in seen}))} in {len(seen)} looks"
        )


@judges("Q9")
def bears_empty_notifications(window: Window) -> Iterator[Observation]:
    """After them requests are served as before."""
    if not values(window, names.EMPTY):
        return
    trouble = [event.text for event in window.of(Trouble) if event.doing == names.AFTER_EMPTY]
    if trouble:
        yield broken(
            "the device does not work any more after notifications of nothing", STATEMENTS["Q9"].text, trouble[0]
        )
    elif any(traffic.doing == names.AFTER_EMPTY for traffic in window.of(Traffic)):
        yield kept("every queue was notified of nothing again and again, and requests were served afterwards")


# -- queue reset


@judges("Q1")
def rests_after_queue_reset(window: Window) -> Iterator[Observation]:
    """queue_reset and queue_enable read 0, and nothing moves any more."""
    for index, resetting, enabled in records(window, names.QUEUE_RESET, 3):
        looks = {event.name: event.look for event in window.of(Looked)}
        before, after = looks.get("queue just reset"), looks.get("queue reset for a while")
        wrong = [f"queue_reset of queue {index} still reads {resetting}"] if resetting else []
        if enabled and not resetting:
            wrong.append(f"queue_enable of queue {index} reads {enabled} after its reset")
        if before is not None and after is not None:
            wrong += [*moved_indices(before, after), *(f"{name} changed" for name in changed(before, after))]
        if wrong:
            yield broken("a queue is not at rest after its reset", STATEMENTS["Q1"].text, "; ".join(wrong))
        elif before is None or after is None:
            yield moot("nobody looked at the queue after its reset")
        else:
            yield kept(f"queue {index} was reset under load, and nothing moved for {after.time - before.time:g} s")


@judges("Q2")
def works_after_queue_reset(window: Window) -> Iterator[Observation]:
    """Requests are served on the queue that was reset and enabled again."""
    if trouble := [event.text for event in window.of(Trouble) if event.doing == names.QUEUE_AGAIN]:
        yield broken("a queue does not work after its reset", STATEMENTS["Q2"].text, trouble[0])
    elif any(traffic.doing == names.QUEUE_AGAIN for traffic in window.of(Traffic)):
        yield kept("a queue was reset and enabled again, and requests were served on it")
