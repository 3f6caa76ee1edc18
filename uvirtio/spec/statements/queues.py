"""Virtqueues: rings, buffers, used entries, queue reset (2.6 to 2.8, 6.2): Q rows."""

from __future__ import annotations

from .model import Level, Need, Side, Statement, Unjudged

__all__ = ["ROWS", "UNJUDGED"]


def _row(number: int, level: Level, text: str, section: str, *sentences: str, **more: object) -> Statement:
    return Statement(f"Q{number}", level, Side.DEVICE, text, section, (), sentences=sentences, **more)  # type: ignore[arg-type]


ROWS: tuple[Statement, ...] = (
    _row(
        1,
        Level.MUST_NOT,
        "A queue that has been reset executes nothing more and is notified no more, and its registers show it.",
        "2.6.1.1.1",
        "2.6.1.1.1#1",
        "4.1.4.3.1#10",
        "4.1.4.3.1#11",
        "4.1.4.3.1#12",
        "4.1.4.3.1#13",
        needs=(Need.RING_RESET,),
    ),
    _row(
        2,
        Level.MUST,
        "A queue that is enabled again after its reset starts anew, as the driver has set it up now.",
        "2.6.1.2.1",
        "2.6.1.1.1#2",
        "2.6.1.2.1#1",
        needs=(Need.RING_RESET,),
    ),
    _row(
        3,
        Level.MUST_NOT,
        "The device does not write to the readable parts of a buffer.",
        "2.7.5.1",
        "2.7.5.1#1",
        "2.8.15#1",
    ),
    _row(
        4,
        Level.IMPLIED,
        "The device writes to the writable parts of buffers and to rings, and nowhere else.",
        "2.7.5.1",
    ),
    _row(
        5, Level.MUST_NOT, "The device does not write to a descriptor table.", "2.7.5.1", "2.7.5.1#2", rule="descriptor"
    ),
    _row(
        6,
        Level.IMPLIED,
        "A used entry names a buffer that is in flight, once.",
        "2.7.8",
        "2.8.12#2",
        "2.8.15#2",
        rule="used id",
    ),
    _row(
        7,
        Level.MUST,
        "A used length is no longer than the writable parts, and so many bytes have been written.",
        "2.7.8.2",
        "2.7.8.2#1",
        "2.7.8.2#2",
        rule="used length",
    ),
    _row(
        8,
        Level.MUST,
        "The flags of a used ring are 0 or 1, and 0 where EVENT_IDX was negotiated.",
        "2.7.10.2",
        "2.7.10.2#1",
        "2.7.10.2#3",
    ),
    _row(9, Level.MUST, "The device bears notifications that announce nothing.", "2.7.10.2", "2.7.10.2#5"),
    _row(
        10,
        Level.MUST,
        "With IN_ORDER buffers come back in the order of their publishing.",
        "6.2",
        "6.2#5",
        rule="order",
    ),
)

UNJUDGED: tuple[Unjudged, ...] = (
    Unjudged(
        "2.7.4.1#1",
        Level.MUST_NOT,
        "The device does not depend on how a request is cut into descriptors.",
        "not judged yet: requests are made the way the driver makes them",
    ),
    Unjudged(
        "2.7.4.1#2",
        Level.MAY,
        "A device may limit the descriptors of a chain to something reasonable.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "2.7.5.3.2#1",
        Level.MUST,
        "The device ignores WRITE where a descriptor names an indirect table.",
        "not judged yet: the driver makes no such table",
    ),
    Unjudged(
        "2.7.5.3.2#2",
        Level.MUST,
        "The device takes a chain of any number of plain descriptors that ends in one indirect descriptor.",
        "not judged yet: the driver makes no such chain",
    ),
    Unjudged(
        "2.7.8.2#3",
        Level.MAY,
        "A device may have written more than it says.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "2.7.10.2#2",
        Level.MAY,
        "Without EVENT_IDX a device may ask by flags not to be notified.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "2.7.10.2#4",
        Level.MAY,
        "With EVENT_IDX a device may name by avail_event when it wants to be notified next.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "2.8.12#1",
        Level.MUST,
        "The device takes up the buffers of a packed ring in ring order.",
        "in which order the device looks does not show, but for what it uses",
    ),
    Unjudged(
        "2.8.12#3",
        Level.MAY,
        "Once begun, writes of used descriptors may be reordered.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "2.8.15#3",
        Level.MUST_NOT,
        "The device leaves a descriptor alone once it has marked it used.",
        "what the device does to a descriptor that it has marked used cannot be told from its next use of it",
    ),
    Unjudged(
        "2.8.18#1",
        Level.MUST,
        "The device works through a list of chained descriptors in the order of the list.",
        "in which order the device works through a list does not show",
    ),
    Unjudged(
        "2.8.18#2",
        Level.MAY,
        "A device may limit the buffers of a list.",
        "a permission: nothing that a device does can break it",
    ),
)
