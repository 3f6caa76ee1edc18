"""Input devices (5.8): INP rows."""

from __future__ import annotations

from ..ids import DeviceType
from .model import Level, Side, Statement, Unjudged

__all__ = ["ROWS", "UNJUDGED"]


def _row(
    number: int,
    level: Level,
    text: str,
    section: str,
    *sentences: str,
    implies: tuple[str, ...] = (),
    deviates: tuple[str, ...] = (),
    rule: str = "",
) -> Statement:
    return Statement(
        f"INP{number}",
        level,
        Side.DEVICE,
        text,
        section,
        (),
        (),
        implies,
        deviates,
        (DeviceType.INPUT,),
        rule,
        sentences,
    )


ROWS: tuple[Statement, ...] = (
    _row(1, Level.MUST, "size is 0 for what the device does not support.", "5.8.5.2", "5.8.5.2#1"),
)

UNJUDGED: tuple[Unjudged, ...] = (
    Unjudged(
        "5.8.6.2#1",
        Level.MAY,
        "The device may drop events when the event queue has no buffers left.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.8.6.2#2",
        Level.SHOULD_NOT,
        "The device drops no single event out of a sequence that belongs together.",
        "not judged yet",
    ),
    Unjudged("5.8.6.2#3", Level.SHOULD, "The device keeps or drops a sequence as a whole.", "not judged yet"),
)
