"""On which device each fault of this chapter is shown: fault -> locator, to which the fault is added."""

from __future__ import annotations

_DISK = "emulated:blk?size=1M"

WHERE: dict[str, str] = dict.fromkeys(("BLK1", "BLK2", "BLK4", "BLK5", "BLK6", "BLK7", "BLK8", "BLK10"), _DISK) | {
    "BLK3": "emulated:blk?size=1M&readonly=on"
}
