"""The shape of the catalogue: who owes what to whom, and how binding it is."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

__all__ = ["Level", "Need", "Side", "Statement", "Unjudged"]


class Level(Enum):
    """How binding a statement is. ``IMPLIED`` follows from others; ``UNSPECIFIED``: the specification leaves it open."""

    MUST = "MUST"
    MUST_NOT = "MUST NOT"
    SHOULD = "SHOULD"
    SHOULD_NOT = "SHOULD NOT"
    MAY = "MAY"
    IMPLIED = "implied"
    UNSPECIFIED = "unspecified"

    @property
    def binding(self) -> bool:
        """Whether breaking it is a failure; otherwise it is a warning (SHOULD) or information."""
        return self in (Level.MUST, Level.MUST_NOT, Level.IMPLIED)

    @property
    def advised(self) -> bool:
        """Whether it is a SHOULD or a SHOULD NOT."""
        return self in (Level.SHOULD, Level.SHOULD_NOT)


class Side(Enum):
    """Whose statement it is."""

    DRIVER = "driver"
    DEVICE = "device"


class Need(Enum):
    """What a check has to have before it can show anything."""

    WORKLOAD = "a workload"
    FIELD = "a writable configuration field"
    CONFIGURATION = "a device configuration"
    TRIGGER = "a trigger that changes the configuration"
    LATENCY = "requests in flight"
    ISR = "notifications that show in ISR"
    FAILURE = "a device that sets DEVICE_NEEDS_RESET"
    RING_RESET = "the feature RING_RESET"
    MESSAGES = "messages of MSI-X that are seen"


class Statement(NamedTuple):
    """One row of the catalogue.

    ``dialects``: names of the suspend dialects in which it is judged; empty: every device is. ``implies``: ids that are broken too, or may be, by a device
    that breaks this one. ``deviates``: driver duties that its scenarios break on purpose, or ``ring`` for a buffer
    that no driver may publish. ``types``: device types that it is about; empty: all. ``rule``:
    what a queue or a driver that comes across a breach calls it (:attr:`uvirtio.errors.DeviceMisbehaved.rule`).
    ``sentences``: the normative sentences of the specification that it stands for, each by section and number in it, such as
    ``2.1.2#1``, as ``tests/specification/count_sentences.py`` counts.
    """

    id: str
    level: Level
    side: Side
    text: str
    section: str
    dialects: tuple[str, ...]
    needs: tuple[Need, ...] = ()
    implies: tuple[str, ...] = ()
    deviates: tuple[str, ...] = ()
    types: tuple[int, ...] = ()
    rule: str = ""
    sentences: tuple[str, ...] = ()


class Unjudged(NamedTuple):
    """A normative sentence for which there is no statement. ``reason``: why a guest cannot see it, or why it is left out."""

    sentence: str
    level: Level
    text: str
    reason: str
