"""Buffers of a traditional memory balloon device (virtio 1.4, 5.5.6)."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

__all__ = ["PAGE_NUMBER", "PAGE_SIZE", "STAT", "STATS_MULTIPLE", "Stat"]

#: The unit of all page numbers, whatever the guest's page size is (bytes).
PAGE_SIZE = 4096
#: One entry of an inflate or deflate request: le32 address / PAGE_SIZE.
PAGE_NUMBER = Struct("<I")
#: struct virtio_balloon_stat, packed: le16 tag, le64 value (5.5.6.3).
STAT = Struct("<HQ")
#: A statistics buffer has to be a multiple of this many bytes (5.5.6.3.1), although an entry has ten.
STATS_MULTIPLE = 6


class Stat(IntEnum):
    """``tag`` of a statistic; bytes, but for the two counters of faults and the two of huge pages."""

    SWAP_IN = 0
    SWAP_OUT = 1
    MAJFLT = 2
    MINFLT = 3
    MEMFREE = 4
    MEMTOT = 5
    AVAIL = 6
    CACHES = 7
    HTLB_PGALLOC = 8
    HTLB_PGFAIL = 9
