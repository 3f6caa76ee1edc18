"""Block devices (5.2): BLK rows."""

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
        f"BLK{number}", level, Side.DEVICE, text, section, (), (), implies, deviates, (DeviceType.BLK,), rule, sentences
    )


#: Why a sentence about zones has no statement.
_ZONED = "zoned disks are not driven: ZONED is not accepted"

ROWS: tuple[Statement, ...] = (
    _row(1, Level.SHOULD, "FLUSH is offered.", "5.2.5.2", "5.2.5.2#1"),
    _row(2, Level.MUST, "FLUSH is offered where CONFIG_WCE is.", "5.2.5.2", "5.2.5.2#1", implies=("BLK1",)),
    _row(
        3,
        Level.MUST,
        "A write to a device that is read-only is answered with IOERR and writes nothing.",
        "5.2.6.2",
        "5.2.6.2#3",
        deviates=("5.2.6.1",),
    ),
    _row(
        4,
        Level.MUST,
        "Discard and write zeroes with a flag that is not defined are answered with UNSUPP.",
        "5.2.6.2",
        "5.2.6.2#4",
        deviates=("5.2.6.1",),
    ),
    _row(
        5,
        Level.MUST,
        "A discard with unmap set is answered with UNSUPP.",
        "5.2.6.2",
        "5.2.6.2#5",
        deviates=("5.2.6.1",),
    ),
    _row(6, Level.MUST, "Sectors that were written with zeroes read as zeros.", "5.2.6.2", "5.2.6.2#8"),
    _row(
        7,
        Level.MUST,
        "Without ZONED every zone request is answered with UNSUPP.",
        "5.2.6.2",
        "5.2.6.2#16",
        deviates=("5.2.6.1",),
    ),
    _row(8, Level.MUST, "Where CONFIG_WCE is accepted without FLUSH, writeback starts at 0.", "5.2.5.2", "5.2.5.2#2"),
    _row(9, Level.UNSPECIFIED, "What a limit of 0 in the configuration means.", "5.2.4"),
    _row(10, Level.MUST, "Padding before a field of the configuration that is there is 0.", "5.2.5.2", "5.2.5.2#3"),
)

UNJUDGED: tuple[Unjudged, ...] = (
    Unjudged(
        "5.2.5.2#4",
        Level.SHOULD_NOT,
        "A device without zones does not offer ZONED.",
        "a drive-managed zoned disk offers ZONED with model NONE lawfully, and looks exactly like a disk without zones",
    ),
    Unjudged(
        "5.2.5.2#5",
        Level.MUST_NOT,
        "A legacy device does not offer ZONED.",
        "devices are driven through the modern interface alone",
    ),
    Unjudged(
        "5.2.5.2#6",
        Level.SHOULD,
        "A device with zones that are no must shows zeros in zoned when ZONED was not accepted.",
        _ZONED,
    ),
    Unjudged(
        "5.2.5.2#7",
        Level.MUST,
        "A host-managed device refuses FEATURES_OK when ZONED is not accepted.",
        _ZONED,
    ),
    Unjudged("5.2.5.2#8", Level.MUST, "A device with ZONED negotiated tells by model what kind it is.", _ZONED),
    Unjudged("5.2.5.2#9", Level.MUST, "The device tells the size of a zone in zone_sectors.", _ZONED),
    Unjudged(
        "5.2.5.2#10",
        Level.MAY,
        "The last zone may be smaller than the others.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged("5.2.5.2#11", Level.MUST, "The device tells in max_open_zones how many zones can be open.", _ZONED),
    Unjudged("5.2.5.2#12", Level.MUST, "The device tells in max_active_zones how many zones can be active.", _ZONED),
    Unjudged(
        "5.2.5.2#13",
        Level.MUST,
        "The device tells in max_append_sectors how much a ZONE_APPEND may carry.",
        _ZONED,
    ),
    Unjudged(
        "5.2.5.2#14",
        Level.MUST_NOT,
        "The device keeps max_append_sectors within what seg_max and size_max allow.",
        _ZONED,
    ),
    Unjudged(
        "5.2.5.2#15",
        Level.MAY,
        "A device without ZONE_APPEND may show max_append_sectors 0.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.2.5.2#16",
        Level.MUST,
        "The device tells in write_granularity how writes have to be aligned.",
        _ZONED,
    ),
    Unjudged("5.2.5.2#17", Level.MUST, "The device keeps the padding bytes unused2 at 0.", _ZONED),
    Unjudged(
        "5.2.6.2#1",
        Level.MAY,
        "The device may change its capacity while it runs.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.2.6.2#6",
        Level.MAY,
        "The device may deallocate what is discarded.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.2.6.2#7",
        Level.MAY,
        "The device may deallocate what is zeroed with unmap.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.2.6.2#9",
        Level.SHOULD,
        "The device clears write_zeroes_may_unmap if and only if write zeroes deallocates nothing.",
        "deallocation happens in the host's storage and does not show in the guest",
    ),
    Unjudged(
        "5.2.6.2#10",
        Level.MAY,
        "The device may change write_zeroes_may_unmap while it runs; the device notifies when write_zeroes_may_unmap changes.",
        "nothing that the host side can be asked for makes it change",
    ),
    Unjudged(
        "5.2.6.2#11",
        Level.MUST,
        "The device has stable writes in its persistent storage before it reports the write, or the flush, complete.",
        "persistence shows only by a crash of the host (or of its storage) at the right moment; a guest that is only watched sees the same either way",
    ),
    Unjudged(
        "5.2.6.2#12",
        Level.MAY,
        "A device without FLUSH may still commit writes before it reports them.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.2.6.2#13",
        Level.SHOULD,
        "The device offers LIFETIME where its storage tells its lifetime.",
        "what the host's storage can tell does not show in the guest",
    ),
    Unjudged(
        "5.2.6.2#14",
        Level.MUST_NOT,
        "The device offers LIFETIME only where the numbers mean something.",
        "what the host's storage can tell does not show in the guest",
    ),
    Unjudged(
        "5.2.6.2#15",
        Level.MUST_NOT,
        "The device sends no reserved values in a lifetime answer.",
        "LIFETIME is not accepted: no such request is made",
    ),
    Unjudged(
        "5.2.6.2#17",
        Level.MUST,
        "The device answers INVALID_CMD to zone management of a conventional zone.",
        _ZONED,
    ),
    Unjudged(
        "5.2.6.2#18",
        Level.MUST,
        'The device answers INVALID_CMD to an append to a zone that is not of the type "sequential write required".',
        _ZONED,
    ),
    Unjudged("5.2.6.2#19", Level.MUST, "The device answers INVALID_CMD to an OPEN that cannot be.", _ZONED),
    Unjudged(
        "5.2.6.2#20",
        Level.MUST,
        "The device answers an OPEN beyond its resources with OPEN_RESOURCE or ACTIVE_RESOURCE and leaves the zone.",
        _ZONED,
    ),
    Unjudged("5.2.6.2#21", Level.MUST, "The device answers INVALID_CMD to a CLOSE that cannot be.", _ZONED),
    Unjudged(
        "5.2.6.2#22",
        Level.MUST,
        "The device answers INVALID_CMD to a FINISH that cannot be, and leaves the zone.",
        _ZONED,
    ),
    Unjudged(
        "5.2.6.2#23",
        Level.MUST,
        "The device answers INVALID_CMD to a RESET that cannot be, and leaves the zone.",
        _ZONED,
    ),
    Unjudged(
        "5.2.6.2#24",
        Level.MUST,
        "The device answers a write or append for which no zone can be opened with OPEN_RESOURCE or ACTIVE_RESOURCE.",
        _ZONED,
    ),
    Unjudged(
        "5.2.6.2#25",
        Level.MUST,
        "The device answers INVALID_CMD to an append whose sector is not a zone's first.",
        _ZONED,
    ),
    Unjudged(
        "5.2.6.2#26",
        Level.MUST,
        "The device answers INVALID_CMD to a write or append beyond what the zone can still take.",
        _ZONED,
    ),
    Unjudged("5.2.6.2#27", Level.MUST, "The device tells where an append went in append_sector.", _ZONED),
    Unjudged(
        "5.2.6.2#28",
        Level.MUST,
        "The device answers UNSUPP to appends where max_append_sectors is 0.",
        _ZONED,
    ),
    Unjudged(
        "5.2.6.2#29",
        Level.MUST,
        "The device answers INVALID_CMD to an append longer than max_append_sectors.",
        _ZONED,
    ),
    Unjudged(
        "5.2.6.2#30",
        Level.MUST,
        "The device answers INVALID_CMD to a read, write or append over a zone's border.",
        _ZONED,
    ),
    Unjudged(
        "5.2.6.2#31",
        Level.MUST,
        "The device answers UNALIGNED_WP to a write that is not at the write pointer.",
        _ZONED,
    ),
    Unjudged(
        "5.2.6.2#32",
        Level.MAY,
        "The device may close implicitly open zones to make room.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.2.6.2#33",
        Level.MUST,
        "The device answers INVALID_CMD to writes and appends to a READ-ONLY zone.",
        _ZONED,
    ),
    Unjudged(
        "5.2.6.2#34",
        Level.MUST,
        "The device answers INVALID_CMD to every request for an OFFLINE zone.",
        _ZONED,
    ),
    Unjudged("5.2.6.2#35", Level.MUST, "The device treats sectors beyond the write pointer as unwritten.", _ZONED),
    Unjudged(
        "5.2.6.2#36",
        Level.MUST,
        "The device answers a read of unwritten sectors with a pattern of its own or an error.",
        _ZONED,
    ),
    Unjudged(
        "5.2.6.2#37",
        Level.MUST,
        "The device keeps secure_erase_sector_alignment a multiple of zone_sectors.",
        _ZONED,
    ),
    Unjudged(
        "5.2.6.2#38",
        Level.MUST,
        "Secure erase requests carry whole zones.",
        "it binds what the driver sends, although it stands among the device's duties; a device cannot break it",
    ),
    Unjudged("5.2.6.2#39", Level.MUST, "The device treats a secure erase as a reset of its zones.", _ZONED),
)
