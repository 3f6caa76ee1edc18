"""Notifications by the device: used buffers, configuration changes, ISR, the interrupt line (2.7.7, 2.7.10, 4.1.4.5): N rows."""

from __future__ import annotations

from .model import Level, Need, Side, Statement, Unjudged

__all__ = ["ROWS", "UNJUDGED"]


def _row(number: int, level: Level, text: str, section: str, *sentences: str, **more: object) -> Statement:
    return Statement(f"N{number}", level, Side.DEVICE, text, section, (), sentences=sentences, **more)  # type: ignore[arg-type]


ROWS: tuple[Statement, ...] = (
    _row(
        1,
        Level.MUST,
        "What the device has used it notifies, where the driver wants that.",
        "2.7.7.2",
        "2.7.7.2#3",
        "2.7.7.2#5",
        "4.1.4.5.1#3",
    ),
    _row(
        2,
        Level.SHOULD_NOT,
        "What the driver does not want to be told of is not notified.",
        "2.7.7.2",
        "2.7.7.2#2",
        "2.7.7.2#6",
        needs=(Need.ISR,),
    ),
    _row(
        3,
        Level.MUST,
        "A configuration change is notified, and sets the configuration bit of ISR.",
        "4.1.4.5.1",
        "4.1.4.5.1#2",
        "5.2.6.2#2",
        needs=(Need.TRIGGER,),
    ),
    _row(
        4,
        Level.MUST,
        "After a changed configuration value has been read, config_generation is another than before.",
        "4.1.4.3.1",
        "4.1.4.3.1#6",
        needs=(Need.TRIGGER,),
    ),
    _row(
        5,
        Level.MUST,
        "With MSI-X off the Interrupt Status bit of the PCI header is 1 exactly while ISR is not 0.",
        "4.1.4.5.1",
        "4.1.4.5.1#4",
        needs=(Need.ISR,),
    ),
    _row(6, Level.MUST, "Reading ISR makes it 0.", "4.1.4.5.1", "4.1.4.5.1#5", needs=(Need.ISR,)),
    _row(
        7,
        Level.IMPLIED,
        "With MSI-X off each notification that ISR shows comes with the PCI interrupt, be it of a buffer or of the configuration.",
        "4.1.5.4",
        needs=(Need.ISR,),
    ),
)

UNJUDGED: tuple[Unjudged, ...] = (
    Unjudged(
        "2.7.7.2#1",
        Level.MUST,
        "Without EVENT_IDX the device does not look at used_event.",
        "not judged yet: used_event is not written where EVENT_IDX was not negotiated",
    ),
    Unjudged(
        "2.7.7.2#4",
        Level.MUST,
        "With EVENT_IDX the device does not look at the lower bit of flags.",
        "not judged yet: flags are not written where EVENT_IDX was negotiated",
    ),
)
