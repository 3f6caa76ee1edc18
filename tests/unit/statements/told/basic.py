"""B: features, registers, reset and configuration of any device."""

from __future__ import annotations

from typing import Any

from uvirtio_tools.judging import names

from ..table import BROKEN, KEPT, MOOT, NOTED, tells
from ..tale import TIMEOUT, Tale
from .pci import layout
from .reads import reading

_ALL, _LESS = 1 << 32 | 0b11, 1 << 32


def accepted(mask: int = _ALL, ok: bool = True, before: int | None = None, after: int | None = None) -> tuple[str, Any]:
    """A set of features was accepted, or not, and driver_feature read before and after FEATURES_OK."""
    before = mask if before is None else before
    return names.SET, [mask, ok, before, before if after is None else after, _ALL]


_NETWORK = {"device": 0x1041}
reading("B1", KEPT, "1 offered features require others", layout(identity=_NETWORK, offered=1 << 32 | 1 << 17 | 1 << 18))
reading(
    "B1",
    BROKEN,
    "feature 18 (NET_F_CTRL_RX) is offered without 17",
    layout(identity=_NETWORK, offered=1 << 32 | 1 << 18),
)
reading("B1", MOOT, "no offered feature requires another", layout())
reading("B13", KEPT, "VERSION_1 (bit 32) is offered", layout())
reading("B13", BROKEN, "VERSION_1 (bit 32) is not offered", layout(offered=0))
reading("B13", MOOT, "there was no occasion to see it", (names.LAYOUT, "{"))

reading("B2", KEPT, "2 valid sets of features were accepted", accepted(), accepted(_LESS))
reading("B2", BROKEN, "1 of 2 valid sets of features were refused", accepted(), accepted(_LESS, False))
reading("B2", MOOT, "nothing that could be left out", accepted())
reading("B3", KEPT, "FEATURES_OK read 0", (names.REFUSED, [50, 3, True]))
reading("B3", NOTED, "and driver_feature shows it", (names.REFUSED, [50, 0x0B, True]))
reading("B3", NOTED, "and driver_feature does not show it", (names.REFUSED, [50, 0x0B, False]))
reading("B3", MOOT, "there was no occasion to see it", (names.REFUSED, "[1]"))
reading("B4", KEPT, "was accepted again once", accepted(), accepted())
reading(
    "B4", BROKEN, "was accepted before and is refused after a reset", accepted(), accepted(ok=False), breaks="B2 B4"
)
reading("B4", MOOT, "there was no occasion to see it", accepted(), accepted(_LESS))
reading("B9", KEPT, "2 sets of features read back", accepted(), accepted(_LESS, after=_ALL))
reading("B9", BROKEN, "before FEATURES_OK", accepted(), accepted(_LESS, before=0, after=_LESS))
reading("B9", BROKEN, "after FEATURES_OK", accepted(), accepted(_LESS, after=0))
reading("B9", MOOT, "there was no occasion to see it", accepted())

_CAPACITY = f"{names.FIELD_READ}capacity"
reading("B7", KEPT, "1 configuration fields", (f"{_CAPACITY} before", [8, 0]), (f"{_CAPACITY} after", [8, 0]))
reading("B7", KEPT, "1 configuration fields", (f"{_CAPACITY} before", [8, 0]), (f"{_CAPACITY} after", [16, 0]))
_ONES = [0xFFFF_FFFF, 0xFFFF_FFFF]
reading("B7", BROKEN, "capacity reads", (f"{_CAPACITY} before", _ONES), (f"{_CAPACITY} after", [8, 0]))
reading("B7", MOOT, "there was no occasion to see it", (f"{_CAPACITY} before", _ONES), (f"{_CAPACITY} after", _ONES))
reading("B14", KEPT, "capacity", (f"{names.HALVES}capacity", [[8, 1], [8, 1], [1, 1]]))
reading("B14", BROKEN, "high half first", (f"{names.HALVES}capacity", [[8, 1], [8, 0], [1, 1]]))
reading("B14", MOOT, "there was no occasion to see it", (f"{names.HALVES}capacity", [8]))

reading("B8", KEPT, "pages 0x0, 0x1", (names.PAGE, [0, True, 5, 5]), (names.PAGE, [1, True, 1, 1]))
reading("B8", BROKEN, "page 0x0 reads 0x5 and 0x4", (names.PAGE, [0, True, 5, 5]), (names.PAGE, [0, True, 5, 4]))
reading("B8", BROKEN, "page 0x4 reads 0x5", (names.PAGE, [0, True, 5, 5]), (names.PAGE, [4, True, 5, 5]))
reading("B8", MOOT, "there was no occasion to see it", (names.PAGE, [4, False, 5, 5]))
reading("B11", KEPT, "queues 0x1 have size 0", (names.ABSENT, [1, True, 0]))
reading("B11", BROKEN, "queue 0x1: queue_size reads 256", (names.ABSENT, [1, True, 256]))
reading("B11", MOOT, "queue_select does not take the index", (names.ABSENT, [1, False, 256]))
reading("B12", KEPT, "sizes of 2 queues: 0, 256", (f"{names.SIZE}0", "256"), (f"{names.SIZE}1", "0"))
reading("B12", BROKEN, "queue 0: queue_size reads 100", (f"{names.SIZE}0", "100"))
reading("B12", MOOT, "there was no occasion to see it", (f"{names.SIZE}0", "0"))
reading("B10", KEPT, "1 registers", (f"{names.CLEARED}queue_enable of queue 0", "0"))
reading("B10", BROKEN, "queue_enable of queue 0 reads 1", (f"{names.CLEARED}queue_enable of queue 0", "1"))
reading("B10", MOOT, "there was no occasion to see it")


@tells("B5", KEPT, "0 was written once, and status read 0")
def it_resets(tale: Tale) -> None:
    with tale.scenario("a life", "B5"):
        tale.negotiates()


@tells("B5", BROKEN, "0 was written, status reads 0x0b")
def it_does_not_reset(tale: Tale) -> None:
    with tale.scenario("a life", "B5"):
        tale.negotiates()
        tale.writes_status(0)
        tale.reads_status(0x0B)
        tale.rests(TIMEOUT)
        tale.reads_status(0x0B)


@tells("B5", MOOT, "there was no occasion to see it")
def it_is_reset_already(tale: Tale) -> None:
    with tale.scenario("nothing", "B5"):
        pass


def reset_under_load(tale: Tale, *, what: str = "", isr: int = 0, loaded: bool = True) -> None:
    """A running device is reset with requests in flight."""
    with tale.scenario("reset a running device under load", "B6"):
        tale.started()
        tale.control()
        if loaded:
            tale.loads()
        tale.status = 0
        tale.writes_status(0)
        tale.reads_status()
        tale.looks("just reset")
        if what == "used":
            tale.uses(2, notified=False)
        elif what:
            tale.scribbles(what)
        if isr:
            tale.isr(isr)
        tale.rests()
        tale.looks("reset for a while")


@tells("B6", KEPT, "rings and buffers stayed as they were for 0.2 s after the reset")
def it_rests_after_the_reset(tale: Tale) -> None:
    reset_under_load(tale)


@tells("B6", BROKEN, "queue 0 buffer 20 changed")
def it_writes_to_a_buffer_after_the_reset(tale: Tale) -> None:
    reset_under_load(tale, what="queue 0 buffer 20")


@tells("B6", BROKEN, "queue 0: used index")
def it_uses_buffers_after_the_reset(tale: Tale) -> None:
    reset_under_load(tale, what="used")


@tells("B6", BROKEN, "ISR showed 0x1")
def it_notifies_after_the_reset(tale: Tale) -> None:
    reset_under_load(tale, isr=1)


@tells("B6", MOOT, "nothing was in flight at the reset")
def nothing_is_in_flight_at_the_reset(tale: Tale) -> None:
    reset_under_load(tale, loaded=False)
