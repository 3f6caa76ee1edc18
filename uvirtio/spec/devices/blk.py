"""Block device (virtio 1.4, 5.2)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

BARRIER, SIZE_MAX, SEG_MAX, GEOMETRY, RO, BLK_SIZE, SCSI = 0, 1, 2, 4, 5, 6, 7
FLUSH, TOPOLOGY, CONFIG_WCE, MQ, DISCARD, WRITE_ZEROES, LIFETIME, SECURE_ERASE, ZONED = (
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
)

_SECTORS = "512-byte sectors"

SPEC = DeviceSpec(
    number=2,
    title="block device",
    section="5.2",
    features=(
        FeatureBit(BARRIER, "BLK_F_BARRIER", "The device knows request barriers.", origin="legacy"),
        FeatureBit(SIZE_MAX, "BLK_F_SIZE_MAX", "The field size_max limits the size of one segment."),
        FeatureBit(SEG_MAX, "BLK_F_SEG_MAX", "The field seg_max limits the segments of one request."),
        FeatureBit(GEOMETRY, "BLK_F_GEOMETRY", "The field geometry holds cylinders, heads and sectors."),
        FeatureBit(RO, "BLK_F_RO", "The device is read-only."),
        FeatureBit(BLK_SIZE, "BLK_F_BLK_SIZE", "The field blk_size holds the logical block size."),
        FeatureBit(SCSI, "BLK_F_SCSI", "SCSI commands can be passed through.", origin="legacy"),
        FeatureBit(FLUSH, "BLK_F_FLUSH", "The driver can ask the device to flush its cache."),
        FeatureBit(TOPOLOGY, "BLK_F_TOPOLOGY", "The field topology tells the best alignment and sizes."),
        FeatureBit(
            CONFIG_WCE,
            "BLK_F_CONFIG_WCE",
            "The driver can switch the cache between writeback and writethrough in the field writeback.",
            offer_with=(FLUSH,),
        ),
        FeatureBit(MQ, "BLK_F_MQ", "There are several request queues."),
        FeatureBit(DISCARD, "BLK_F_DISCARD", "The driver can discard ranges of sectors."),
        FeatureBit(WRITE_ZEROES, "BLK_F_WRITE_ZEROES", "The driver can zero ranges of sectors without sending zeros."),
        FeatureBit(LIFETIME, "BLK_F_LIFETIME", "The device tells how worn the storage is."),
        FeatureBit(SECURE_ERASE, "BLK_F_SECURE_ERASE", "The driver can erase ranges of sectors for good."),
        FeatureBit(ZONED, "BLK_F_ZONED", "The device has zones that are written in sequence."),
    ),
    fields=(
        Field("capacity", 0, 8, unit=_SECTORS),
        Field("size_max", 8, 4, unit="bytes", features=(SIZE_MAX,)),
        Field("seg_max", 12, 4, unit="segments", features=(SEG_MAX,)),
        Field("geometry.cylinders", 16, 2, features=(GEOMETRY,)),
        Field("geometry.heads", 18, 1, features=(GEOMETRY,)),
        Field("geometry.sectors", 19, 1, features=(GEOMETRY,)),
        Field("blk_size", 20, 4, unit="bytes", features=(BLK_SIZE,)),
        Field("topology.physical_block_exp", 24, 1, unit="log2 of logical blocks", features=(TOPOLOGY,)),
        Field("topology.alignment_offset", 25, 1, unit="logical blocks", features=(TOPOLOGY,)),
        Field("topology.min_io_size", 26, 2, unit="logical blocks", features=(TOPOLOGY,)),
        Field("topology.opt_io_size", 28, 4, unit="logical blocks", features=(TOPOLOGY,)),
        Field(
            "writeback",
            32,
            1,
            writable=True,
            features=(CONFIG_WCE,),
            values=((0, "writethrough"), (1, "writeback")),
            negotiated_first=True,
        ),
        Field("num_queues", 34, 2, unit="queues", features=(MQ,)),
        Field("max_discard_sectors", 36, 4, unit=_SECTORS, features=(DISCARD,)),
        Field("max_discard_seg", 40, 4, unit="segments", features=(DISCARD,)),
        Field("discard_sector_alignment", 44, 4, unit=_SECTORS, features=(DISCARD,)),
        Field("max_write_zeroes_sectors", 48, 4, unit=_SECTORS, features=(WRITE_ZEROES,)),
        Field("max_write_zeroes_seg", 52, 4, unit="segments", features=(WRITE_ZEROES,)),
        Field("write_zeroes_may_unmap", 56, 1, features=(WRITE_ZEROES,), values=((0, "no"), (1, "yes"))),
        Field("max_secure_erase_sectors", 60, 4, unit=_SECTORS, features=(SECURE_ERASE,)),
        Field("max_secure_erase_seg", 64, 4, unit="segments", features=(SECURE_ERASE,)),
        Field("secure_erase_sector_alignment", 68, 4, unit=_SECTORS, features=(SECURE_ERASE,)),
        Field("zoned.zone_sectors", 72, 4, unit=_SECTORS, features=(ZONED,)),
        Field("zoned.max_open_zones", 76, 4, unit="zones", features=(ZONED,)),
        Field("zoned.max_active_zones", 80, 4, unit="zones", features=(ZONED,)),
        Field("zoned.max_append_sectors", 84, 4, unit=_SECTORS, features=(ZONED,)),
        Field("zoned.write_granularity", 88, 4, unit="bytes", features=(ZONED,)),
        Field("zoned.model", 92, 1, features=(ZONED,), values=((0, "none"), (1, "host-managed"), (2, "host-aware"))),
    ),
    queues=(QueueName("requestq{n}", 0, answered=True, step=1),),
)
