"""What a device keeps over an event of its host: a pause, a snapshot, a migration. U rows.

No section of the specification is about these: to the driver there was no event at all. So each row follows from what the
specification says of a device that runs, and ``section`` names that. They are judged by ``uvirtio survive``, and by ``check``
where they are asked for by name.
"""

from __future__ import annotations

from .model import Level, Need, Side, Statement, Unjudged

__all__ = ["ROWS", "UNJUDGED"]

_W = (Need.WORKLOAD,)
_NOTIFIED = (Need.WORKLOAD, Need.ISR)


def _row(
    number: int,
    text: str,
    section: str,
    *,
    needs: tuple[Need, ...] = _W,
    implies: tuple[str, ...] = (),
    level: Level = Level.IMPLIED,
    dialects: tuple[str, ...] = (),
) -> Statement:
    return Statement(f"U{number}", level, Side.DEVICE, text, section, dialects, needs, implies)


ROWS: tuple[Statement, ...] = (
    _row(1, "What the device had in process at an event of the host is used afterwards.", "2.7, 2.8"),
    _row(
        2,
        "The device goes on in what is available where it stood, and passes nothing over.",
        "2.7.6, 2.8.6",
        implies=("U16",),
    ),
    _row(3, "No buffer is used twice because of an event of the host.", "2.7.8, 2.8.7"),
    _row(4, "The device goes on in the used ring where it stood.", "2.7.8"),
    _row(5, "The device keeps its places and wrap counters in a packed ring.", "2.8.1"),
    _row(
        6,
        "The device asks to be notified of what comes next, not of what is past: its event suppression does not go back.",
        "2.7.10, 2.8.10",
        implies=("U16",),
    ),
    _row(
        7,
        "What was available and notified before an event of the host needs no further notification.",
        "2.7.10, 2.8.10",
    ),
    _row(8, "Used buffers are notified over an event of the host, and after it.", "2.7.7.2", needs=_NOTIFIED),
    _row(
        9,
        "The vectors of queues and configuration, and the table of MSI-X, are what the driver wrote.",
        "4.1.5.1.2",
        needs=(Need.WORKLOAD, Need.MESSAGES),
        implies=("U8",),
    ),
    _row(10, "The accepted features are those that the driver accepted.", "2.2"),
    _row(
        11,
        "The configuration is as it was, or its change is notified.",
        "2.5.3",
        needs=(Need.WORKLOAD, Need.CONFIGURATION),
    ),
    _row(12, "The status is as it was: the device was not reset, and does not need to be.", "2.1", implies=("U16",)),
    _row(13, "Size, addresses and enablement of each queue are what the driver wrote.", "4.1.4.3"),
    _row(14, "Configuration space is as it was: ids, BARs, the bits that the driver set.", "4.1.2"),
    _row(15, "Requests are carried out as before, on the contents that there were.", "2.7, 5"),
    _row(
        16,
        "A suspended device stays suspended over an event of the host, and touches no memory.",
        "3.4.2",
        dialects=("1.4", "chromium", "rfc"),
    ),
    _row(17, "How long the device stands still over an event of the host.", "-", level=Level.UNSPECIFIED),
)

UNJUDGED: tuple[Unjudged, ...] = ()
