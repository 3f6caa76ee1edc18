"""Q: what goes through rings, queue reset, notifications of nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from uvirtio.access.trace import Added, Strayed, Used, Wrong
from uvirtio.spec.features import Feature
from uvirtio_tools.judging import names
from uvirtio_tools.judging.events import HistoryEvent, Looked, Started

from ..table import BROKEN, KEPT, MOOT, tells
from ..tale import Tale

_ADDRESS = 0x1000


def goes(tale: Tale, *events: HistoryEvent, used: int = 2, readable: bool = True, accepted: int = 0) -> None:
    """Buffers go through a queue of a device that was started with these features."""
    tale.resets()
    tale.history.add(Started(tale.clock.now(), accepted, {0: 16}, True))
    for token in range(used):
        tale.history.add(Added(tale.clock.now(), 0, token, (16,) if readable else (), (512,)))
        tale.history.add(Used(tale.clock.now(), 0, token, 512))
    for event in events:
        tale.history.add(event)


def about(id_: str, kind: object, said: str, *events: HistoryEvent, breaks: str | None = None, **how: object) -> None:
    """A history of buffers that go through a queue."""

    def tell(tale: Tale) -> None:
        with tale.scenario("buffers", id_):
            goes(tale, *events, **how)  # type: ignore[arg-type]

    tell.__name__ = f"{len(events)}_events_for_{said[:40]}"
    tells(id_, kind, said, breaks=breaks)(tell)  # type: ignore[arg-type]


def stray(piece: str, first: int, last: int, token: int = 1) -> Strayed:
    """What the device has written and may not."""
    return Strayed(0.0, 0 if token >= 0 else -1, token, piece, _ADDRESS, 16, first, last)


def wrong(rule: str) -> Wrong:
    """What a queue has found in its ring."""
    return Wrong(0.0, 0, rule, f"it is wrong by its {rule}")


about("Q3", KEPT, "2 buffers came back")
about(
    "Q3",
    BROKEN,
    "queue 0, buffer 1: readable part 0 of buffer 1, 16 bytes at 0x1000: bytes 2 to 3 of it were written",
    stray("readable part 0 of buffer 1", 2, 3),
)
about("Q3", MOOT, "no buffer of this device has a part that it may only read", readable=False)
about("Q4", KEPT, "2 buffers came back", readable=False)
about(
    "Q4",
    BROKEN,
    "bytes 16 to 20 were written, counted from its beginning",
    stray("writable part 0 of buffer 1", 16, 20),
)
about(
    "Q4",
    BROKEN,
    "ring of queue 0, 16 bytes at 0x1000: bytes -4 to -1 were written",
    stray("ring of queue 0", -4, -1, token=-1),
)
about("Q4", MOOT, "there was no occasion to see it", used=0)
for _id, _rules in {"Q5": ("descriptor",), "Q6": ("used id", "used index", "flags"), "Q7": ("used length",)}.items():
    about(_id, KEPT, "2 buffers came back as they have to")
    for _rule in _rules:
        about(_id, BROKEN, f"it is wrong by its {_rule}", wrong(_rule))
    about(_id, MOOT, "there was no occasion to see it", used=0)
_IN_ORDER, _EVENT_IDX = 1 << Feature.IN_ORDER, 1 << Feature.EVENT_IDX
about("Q10", KEPT, "2 buffers came back as they have to", accepted=_IN_ORDER)
about("Q10", BROKEN, "it is wrong by its order", wrong("order"), accepted=_IN_ORDER)
about("Q10", MOOT, "IN_ORDER was not negotiated")


@tells("Q7", BROKEN, "it is wrong by its used length")
def a_driver_finds_it(tale: Tale) -> None:
    with tale.scenario("buffers", "Q7"):
        goes(tale)
        tale.goes_wrong(names.LAP, "it is wrong by its used length", "DeviceMisbehaved", "used length")


def with_flags(id_: str, kind: object, said: str, flags: int | None, accepted: int = 0) -> None:
    """A history of a look at a used ring with these flags."""

    def tell(tale: Tale) -> None:
        with tale.scenario("a look", id_):
            goes(tale, accepted=accepted)
            tale.control()
            tale.looks("after the laps")
            looked = tale.history.events[-1]
            assert isinstance(looked, Looked)
            shown = {} if flags is None else {"used.flags": flags}
            states = {0: replace(looked.look.states[0], flags=shown)}
            tale.history.events[-1] = looked._replace(look=looked.look._replace(states=states))  # type: ignore[call-overload]

    tell.__name__ = f"flags_{flags}_with_{accepted}"
    tells(id_, kind, said)(tell)  # type: ignore[arg-type]


with_flags("Q8", KEPT, "flags were 1 in 1 looks", 1)
with_flags("Q8", BROKEN, "queue 0: flags 0x2", 2)
with_flags("Q8", BROKEN, "flags that it may not have with EVENT_IDX", 1, _EVENT_IDX)
with_flags("Q8", MOOT, "the queues are packed", None)


def empty(trouble: str = "", *, told: bool = True) -> Callable[[Tale], None]:
    """A device is notified of nothing, and then of something."""

    def tell(tale: Tale) -> None:
        with tale.scenario("notify a device of nothing", "Q9"):
            tale.started()
            if told:
                tale.reads(names.EMPTY, 16)
            if trouble:
                tale.goes_wrong(names.AFTER_EMPTY, trouble)
            else:
                tale.traffic(names.AFTER_EMPTY)

    tell.__name__ = f"empty_{bool(trouble)}_{told}"
    return tell


tells("Q9", KEPT, "requests were served afterwards")(empty())
tells("Q9", BROKEN, "nothing came back")(empty("nothing came back"))
tells("Q9", MOOT, "there was no occasion to see it")(empty(told=False))


def queue_reset(
    *,
    registers: str = "[0, 0, 0]",
    later: Callable[[Tale], None] | None = None,
    watched: bool = True,
    trouble: str = "",
) -> Callable[[Tale], None]:
    """A queue is reset and works again, and is reset under load."""

    def tell(tale: Tale) -> None:
        with tale.scenario("reset a queue of a running device", "Q1", "Q2"):
            tale.started()
            if trouble:
                tale.goes_wrong(names.QUEUE_AGAIN, trouble)
                return
            tale.traffic(names.QUEUE_AGAIN)
            tale.loads()
            tale.reads(names.QUEUE_RESET, registers)
            if watched:
                tale.looks("queue just reset")
                if later is not None:
                    later(tale)
                tale.rests()
                tale.looks("queue reset for a while")

    tell.__name__ = f"queue_reset_{registers}_{later is not None}_{watched}_{bool(trouble)}"
    return tell


tells("Q1", KEPT, "queue 0 was reset under load")(queue_reset())
tells("Q1", BROKEN, "queue_reset of queue 0 still reads 1")(queue_reset(registers="[0, 1, 1]"))
tells("Q1", BROKEN, "queue_enable of queue 0 reads 1 after its reset")(queue_reset(registers="[0, 0, 1]"))
tells("Q1", BROKEN, "queue 0 buffer 20 changed")(queue_reset(later=lambda tale: tale.scribbles("queue 0 buffer 20")))
tells("Q1", BROKEN, "queue 0: used index")(queue_reset(later=lambda tale: tale.uses(1, notified=False)))
tells("Q1", MOOT, "nobody looked at the queue after its reset")(queue_reset(watched=False))
tells("Q2", KEPT, "requests were served on it")(queue_reset())
tells("Q2", BROKEN, "nothing came back")(queue_reset(trouble="nothing came back"))


@tells("Q2", MOOT, "there was no occasion to see it")
def no_queue_is_reset(tale: Tale) -> None:
    with tale.scenario("reset a queue of a running device", "Q1", "Q2"):
        tale.started()
