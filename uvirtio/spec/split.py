"""Layout of split virtqueues (virtio 1.4, 2.7)."""

from __future__ import annotations

__all__ = [
    "AVAIL_ALIGN",
    "AVAIL_F_NO_INTERRUPT",
    "AVAIL_FLAGS",
    "AVAIL_IDX",
    "AVAIL_RING",
    "DESC_ALIGN",
    "DESC_F_INDIRECT",
    "DESC_F_NEXT",
    "DESC_F_WRITE",
    "DESC_SIZE",
    "LEGACY_ALIGN",
    "USED_ALIGN",
    "USED_ELEMENT_SIZE",
    "USED_FLAGS",
    "USED_F_NO_NOTIFY",
    "USED_IDX",
    "USED_RING",
    "avail_size",
    "used_size",
]

#: struct virtq_desc: le64 addr, le32 len, le16 flags, le16 next (2.7.5).
DESC_SIZE = 16
DESC_F_NEXT = 1
DESC_F_WRITE = 2
DESC_F_INDIRECT = 4
#: struct virtq_avail: le16 flags, le16 idx, le16 ring[], le16 used_event (2.7.6). Byte offsets.
AVAIL_FLAGS = 0
AVAIL_IDX = 2
AVAIL_RING = 4
AVAIL_F_NO_INTERRUPT = 1
#: struct virtq_used: le16 flags, le16 idx, {le32 id, le32 len} ring[], le16 avail_event (2.7.8). Byte offsets.
USED_FLAGS = 0
USED_IDX = 2
USED_RING = 4
USED_ELEMENT_SIZE = 8
USED_F_NO_NOTIFY = 1
#: Alignment of the three parts (2.7); the legacy interface aligns the used ring to a page (2.7.2).
DESC_ALIGN = 16
AVAIL_ALIGN = 2
USED_ALIGN = 4
LEGACY_ALIGN = 4096


def avail_size(entries: int) -> int:
    """Bytes of the available ring with its used_event."""
    return 6 + 2 * entries


def used_size(entries: int) -> int:
    """Bytes of the used ring with its avail_event."""
    return 6 + 8 * entries
