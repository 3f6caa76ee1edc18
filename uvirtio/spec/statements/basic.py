"""Status, features, reset and the configuration of any device (2.1 to 2.5, 3.1, 4.1.4.3, 6.2): B rows."""

from __future__ import annotations

from .model import Level, Side, Statement, Unjudged

__all__ = ["ROWS", "UNJUDGED"]


def _row(number: int, level: Level, text: str, section: str, *sentences: str, **more: object) -> Statement:
    return Statement(f"B{number}", level, Side.DEVICE, text, section, (), sentences=sentences, **more)  # type: ignore[arg-type]


ROWS: tuple[Statement, ...] = (
    _row(1, Level.MUST_NOT, "No feature is offered without the features that it requires.", "2.2.2", "2.2.2#1"),
    _row(2, Level.SHOULD, "Every valid subset of the offered features is accepted.", "2.2.2", "2.2.2#2"),
    _row(
        3,
        Level.SHOULD,
        "A set of features with one that is not offered is refused: FEATURES_OK stays 0.",
        "2.2.2",
        "2.2.2#2",
        deviates=("2.2.1",),
    ),
    _row(
        4,
        Level.SHOULD_NOT,
        "A set of features that was accepted is not refused after a reset.",
        "2.2.2",
        "2.2.2#4",
        implies=("B2",),
    ),
    _row(5, Level.MUST, "After 0 was written the status reads 0.", "2.4.1", "2.4.1#1", "4.1.4.3.1#7"),
    _row(6, Level.MUST_NOT, "Once the status reads 0 nothing is notified and no queue is touched.", "2.4.1", "2.4.1#2"),
    _row(
        7,
        Level.MUST,
        "Every configuration field whose feature is offered can be read before FEATURES_OK.",
        "2.5.2",
        "2.5.2#1",
    ),
    _row(8, Level.MUST, "device_feature shows the bits of the page that is selected.", "4.1.4.3.1", "4.1.4.3.1#3"),
    _row(9, Level.MUST, "driver_feature shows the bits that the driver has accepted.", "4.1.4.3.1", "4.1.4.3.1#4"),
    _row(
        10, Level.MUST, "After a reset queue_enable and queue_reset read 0.", "4.1.4.3.1", "4.1.4.3.1#8", "4.1.4.3.1#9"
    ),
    _row(11, Level.MUST, "queue_size of a queue that is not there reads 0.", "4.1.4.3.1", "4.1.4.3.1#14"),
    _row(12, Level.MUST, "Without RING_PACKED queue_size is 0 or a power of 2.", "4.1.4.3.1", "4.1.4.3.1#15"),
    _row(13, Level.MUST, "VERSION_1 is offered.", "6.2", "6.2#1", rule="VERSION_1", implies=("B1", "B2")),
    _row(
        14, Level.MUST, "The halves of a 64-bit configuration field can be read by themselves.", "4.1.3.2", "4.1.3.2#1"
    ),
)

UNJUDGED: tuple[Unjudged, ...] = (
    Unjudged(
        "2.1.2#2",
        Level.SHOULD,
        "The device sets DEVICE_NEEDS_RESET when it is in a state that only a reset ends.",
        "whether only a reset ends a state is known to the device alone; V14 tells of one that is meant to fail and does not say so",
    ),
    Unjudged(
        "2.2.2#3",
        Level.MUST_NOT,
        "The device offers no feature that it would not support if it were accepted.",
        "what would not be supported shows in the statements about the feature",
    ),
    Unjudged(
        "6.2#2",
        Level.MAY,
        "A device may refuse to go on without VERSION_1.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "6.2#3",
        Level.SHOULD,
        "A device whose memory accesses are translated or limited offers ACCESS_PLATFORM.",
        "how the device reaches memory is known to the platform",
    ),
    Unjudged(
        "6.2#4",
        Level.MAY,
        "A device may refuse to go on without ACCESS_PLATFORM.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "6.2#6",
        Level.MAY,
        "A device may refuse to go on without ORDER_PLATFORM.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "6.2#7",
        Level.MAY,
        "A device may work more slowly without ORDER_PLATFORM.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "6.2#8",
        Level.SHOULD,
        "An add-in card offers ACCESS_PLATFORM and ORDER_PLATFORM.",
        "whether the device is an add-in card does not show",
    ),
    Unjudged(
        "4.1.4.3.1#5",
        Level.MAY,
        "A device may show bits that the driver was not offered.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "4.1.4.3.1#16",
        Level.MUST,
        "Administration queues have indices from num_queues on, and all of them fit below 65,536.",
        "the administration queue is not driven",
    ),
)
