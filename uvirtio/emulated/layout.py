"""Where this device puts its structures: BARs and the offsets of the virtio structures in them (virtio 1.4, 4.1.4)."""

from __future__ import annotations

from ..spec.pci import StructureType

__all__ = [
    "BARS",
    "MSIX_BAR",
    "MSIX_TABLE",
    "NOTIFY_MULTIPLIER",
    "PBA",
    "REGION",
    "REGIONS",
    "STRUCTURES",
    "STRUCTURE_BAR",
    "STRUCTURE_BAR_SIZE",
]

#: The MSI-X table and the pending bits: a 32-bit memory BAR.
MSIX_BAR = 1
MSIX_TABLE = 0x000
PBA = 0x800
#: Shared memory regions lie behind them: where the first one starts, and their length.
REGIONS, REGION = 0xC00, 0x200
#: Everything of virtio: a 64-bit prefetchable memory BAR, which takes two base address registers.
STRUCTURE_BAR = 4
STRUCTURE_BAR_SIZE = 0x4000
#: number -> size in bytes.
BARS = {MSIX_BAR: 0x1000, STRUCTURE_BAR: STRUCTURE_BAR_SIZE}
#: Structure -> (offset in its BAR, length). Lengths are rounded up, as 4.1.4 allows.
STRUCTURES = {
    StructureType.COMMON: (0x0000, 0x1000),
    StructureType.ISR: (0x1000, 0x1000),
    StructureType.DEVICE: (0x2000, 0x1000),
    StructureType.NOTIFY: (0x3000, 0x1000),
}
#: Bytes between the notification addresses of two queues; a multiple of 4 for NOTIFICATION_DATA.
NOTIFY_MULTIPLIER = 4
