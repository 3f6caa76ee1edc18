"""PCI: ids, capabilities, structures, MSI-X vectors (4.1.2, 4.1.4, 4.1.5): P rows."""

from __future__ import annotations

from .model import Level, Need, Side, Statement, Unjudged

__all__ = ["ROWS", "UNJUDGED"]


def _row(number: int, level: Level, text: str, section: str, *sentences: str, **more: object) -> Statement:
    return Statement(f"P{number}", level, Side.DEVICE, text, section, (), sentences=sentences, **more)  # type: ignore[arg-type]


ROWS: tuple[Statement, ...] = (
    _row(
        1,
        Level.MUST,
        "The PCI ids are those of a virtio device of its type.",
        "4.1.2.1",
        "4.1.2.1#1",
        "4.1.2.1#2",
        implies=("P2", "P4"),
    ),
    _row(
        2,
        Level.SHOULD,
        "Without a legacy interface the PCI device id is 0x1040 or higher.",
        "4.1.2.1",
        "4.1.2.1#4",
        implies=("P4",),
    ),
    _row(3, Level.SHOULD, "Without a legacy interface the revision is 1 or higher.", "4.1.2.1", "4.1.2.1#5"),
    _row(4, Level.SHOULD, "Without a legacy interface the subsystem id is 0x40 or higher.", "4.1.2.1", "4.1.2.1#6"),
    _row(5, Level.MUST, "cap_len counts everything that a capability has.", "4.1.4.2.1", "4.1.4.2#1"),
    _row(
        6,
        Level.MUST,
        "There are capabilities for common configuration, notification, ISR and PCI configuration access.",
        "4.1.4",
        "4.1.4.3.1#2",
        "4.1.4.4.1#1",
        "4.1.4.5.1#1",
        "4.1.4.9.1#1",
    ),
    _row(
        7,
        Level.MUST,
        "Common and device configuration start at multiples of 4 in their BARs.",
        "4.1.4.3.1",
        "4.1.4.3.1#1",
        "4.1.4.6.1#1",
    ),
    _row(
        8,
        Level.MUST,
        "Each queue is notified at an aligned place inside of the notification structure.",
        "4.1.4.4.1",
        *(f"4.1.4.4.1#{number}" for number in range(2, 10)),
        rule="queue_notify_off",
    ),
    _row(9, Level.MUST, "A shared memory region lies inside of its BAR.", "4.1.4.7.1", "4.1.4.7.1#1"),
    _row(10, Level.MUST, "No two shared memory regions have the same id.", "4.1.4.7.1", "4.1.4.7.1#2"),
    _row(11, Level.MUST_NOT, "Vendor data has the vendor's id, not 0x1AF4.", "4.1.4.8.1", "4.1.4.8.1#1"),
    _row(12, Level.MUST, "Vendor data has a multiple of 4 bytes.", "4.1.4.8.1", "4.1.4.8.1#2"),
    _row(
        13,
        Level.MUST,
        "An access to pci_cfg_data is an access to the BAR that the capability names.",
        "4.1.4.9.1",
        "4.1.4.9.1#2",
        "4.1.4.9.1#3",
    ),
    _row(14, Level.SHOULD, "A device with MSI-X has 2 to 2048 vectors.", "4.1.5.1.2.1", "4.1.5.1.2.1#1"),
    _row(
        15,
        Level.MUST,
        "Any event can be mapped to any vector and unmapped, and its register reads that.",
        "4.1.5.1.2.1",
        "4.1.5.1.2.1#4",
        "4.1.5.1.2.1#5",
        "4.1.5.1.2.1#6",
    ),
    _row(16, Level.MUST, "A reset unmaps all events from their vectors.", "4.1.5.1.2.1", "4.1.5.1.2.1#7"),
    _row(
        17,
        Level.MUST,
        "A vector that is not there is refused: the register reads NO_VECTOR.",
        "4.1.5.1.2.1",
        "4.1.5.1.2.1#9",
    ),
    _row(
        18, Level.SHOULD, "SR_IOV is offered by functions with an SR-IOV capability, and by no others.", "6.2", "6.2#9"
    ),
    _row(
        19,
        Level.MUST,
        "An event that is mapped to a vector sends that vector's message, whichever of the table it is.",
        "4.1.5.1.2.1",
        "4.1.5.1.2.1#2",
        needs=(Need.MESSAGES,),
    ),
    _row(
        20,
        Level.MUST_NOT,
        "A queue without a vector sends no message.",
        "4.1.5.3.1",
        "4.1.5.3.1#1",
        needs=(Need.MESSAGES,),
    ),
    _row(
        21,
        Level.MUST_NOT,
        "Without a vector for the configuration its changes send no message.",
        "4.1.5.4.1",
        "4.1.5.4.1#1",
        needs=(Need.MESSAGES, Need.TRIGGER),
    ),
    _row(
        22,
        Level.IMPLIED,
        "The message of a vector that is masked waits until it is not.",
        "4.1.5.1.2",
        needs=(Need.MESSAGES,),
    ),
    _row(
        23,
        Level.MUST,
        "With MSI-X, too, the configuration bit of ISR is set before a configuration change is notified.",
        "4.1.4.5.1",
        needs=(Need.MESSAGES, Need.TRIGGER),
    ),
)

UNJUDGED: tuple[Unjudged, ...] = (
    Unjudged(
        "4.1.1#1",
        Level.MUST,
        "The function keeps to the PCI specification.",
        "not judged as a whole: the kernel has found the function by it, and lspci shows what is wrong with it",
    ),
    Unjudged(
        "4.1.2.1#3",
        Level.MAY,
        "The subsystem ids may be those of the environment.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "4.1.4.2#2",
        Level.MAY,
        "A device may append to a structure beyond what is described.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "4.1.4.2#3",
        Level.SHOULD,
        "Of several structures of a type the best comes first.",
        "which structure is best is the device's own judgement",
    ),
    Unjudged(
        "4.1.4.8.1#3",
        Level.MUST_NOT,
        "Reading a vendor data capability has no effect.",
        "an effect inside of the device does not show",
    ),
    Unjudged(
        "4.1.4.11.0.1#1",
        Level.SHOULD,
        "A device that a legacy driver might take makes that driver fail gracefully.",
        "about a driver that takes the device for a legacy one",
    ),
    Unjudged(
        "4.1.5.1.2.1#3",
        Level.SHOULD,
        "Table Size is a number that is good for performance.",
        "what is good for performance is the device's own judgement",
    ),
    Unjudged(
        "4.1.5.1.2.1#8",
        Level.SHOULD_NOT,
        "A mapping fails only where it cannot be had.",
        "whether a vector cannot be had is known to the device alone",
    ),
)
