"""Layout of packed virtqueues (virtio 1.4, 2.8)."""

from __future__ import annotations

__all__ = [
    "DESC_ALIGN",
    "DESC_F_AVAIL",
    "DESC_F_INDIRECT",
    "DESC_F_NEXT",
    "DESC_F_USED",
    "DESC_F_WRITE",
    "DESC_SIZE",
    "EVENT_ALIGN",
    "EVENT_SIZE",
    "EVENT_WRAP",
    "RING_EVENT_DESC",
    "RING_EVENT_DISABLE",
    "RING_EVENT_ENABLE",
]

#: struct pvirtq_desc: le64 addr, le32 len, le16 id, le16 flags (2.8.13).
DESC_SIZE = 16
DESC_F_NEXT = 1
DESC_F_WRITE = 2
DESC_F_INDIRECT = 4
DESC_F_AVAIL = 1 << 7
DESC_F_USED = 1 << 15
#: struct pvirtq_event_suppress: le16 desc_event_off:15 and wrap:1, le16 flags:2 (2.8.14).
EVENT_SIZE = 4
EVENT_WRAP = 1 << 15
RING_EVENT_ENABLE = 0
RING_EVENT_DISABLE = 1
RING_EVENT_DESC = 2
DESC_ALIGN = 16
EVENT_ALIGN = 4
