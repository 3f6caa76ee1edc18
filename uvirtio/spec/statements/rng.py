"""Entropy devices (5.4): RNG rows."""

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
        f"RNG{number}", level, Side.DEVICE, text, section, (), (), implies, deviates, (DeviceType.RNG,), rule, sentences
    )


ROWS: tuple[Statement, ...] = (
    _row(
        1,
        Level.MUST,
        "The device puts at least one random byte into each buffer that it uses.",
        "5.4.6.2",
        "5.4.6.2#1",
        rule="random bytes",
    ),
)

UNJUDGED: tuple[Unjudged, ...] = ()
