"""Console devices (5.3): CON rows."""

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
        f"CON{number}",
        level,
        Side.DEVICE,
        text,
        section,
        (),
        (),
        implies,
        deviates,
        (DeviceType.CONSOLE,),
        rule,
        sentences,
    )


ROWS: tuple[Statement, ...] = (
    _row(
        1,
        Level.MUST,
        "A write to emerg_wr is taken at any time, before the device has been configured, too.",
        "5.3.5.1",
        "5.3.5.1#1",
    ),
    _row(
        2, Level.UNSPECIFIED, "What it means that max_nr_ports is 0, or more than there are queues for.", "5.3.2, 5.3.4"
    ),
)

UNJUDGED: tuple[Unjudged, ...] = (
    Unjudged(
        "5.3.5.1#2",
        Level.SHOULD,
        "The device sends the low byte written to emerg_wr to a log or an output.",
        "not judged yet",
    ),
    Unjudged(
        "5.3.6.2.1#1",
        Level.MUST_NOT,
        "The device does not add a port that is there already; the device adds no port whose number is not below max_nr_ports.",
        "not judged yet",
    ),
    Unjudged("5.3.6.2.1#2", Level.MUST_NOT, "The device removes only ports that it has added.", "not judged yet"),
)
