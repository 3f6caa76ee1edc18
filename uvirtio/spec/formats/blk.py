"""Requests of a block device (virtio 1.4, 5.2.6)."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

__all__ = [
    "HEADER",
    "ID_LENGTH",
    "LIFETIME",
    "SECTOR",
    "SEGMENT",
    "SEGMENT_UNMAP",
    "STATUS_SIZE",
    "RequestStatus",
    "RequestType",
]

#: The protocol's unit, whatever blk_size says (bytes).
SECTOR = 512
#: What a request begins with: le32 type, le32 reserved, le64 sector. Data and one status byte follow.
HEADER = Struct("<IIQ")
STATUS_SIZE = 1
#: Bytes of a device id string, NUL-padded.
ID_LENGTH = 20
#: struct virtio_blk_discard_write_zeroes: le64 sector, le32 num_sectors, le32 flags.
SEGMENT = Struct("<QII")
#: Bit 0 of the segment's flags, for write zeroes only: the sectors may be deallocated.
SEGMENT_UNMAP = 1
#: struct virtio_blk_lifetime: le16 pre_eol_info, le16 device_lifetime_est_typ_a, le16 device_lifetime_est_typ_b.
LIFETIME = Struct("<HHH")


class RequestType(IntEnum):
    """``type`` in the header."""

    IN = 0
    OUT = 1
    FLUSH = 4
    GET_ID = 8
    GET_LIFETIME = 10
    DISCARD = 11
    WRITE_ZEROES = 13
    SECURE_ERASE = 14


class RequestStatus(IntEnum):
    """The status byte that the device writes behind the data."""

    OK = 0
    IOERR = 1
    UNSUPP = 2
