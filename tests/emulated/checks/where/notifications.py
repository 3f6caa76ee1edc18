"""On which device each fault of this chapter is shown: fault -> locator, to which the fault is added."""

from __future__ import annotations

_SPLIT = "emulated:blk?size=1M&features=-RING_PACKED"

WHERE: dict[str, str] = dict.fromkeys(
    ("N1", "N2", "N3", "N4", "N5", "N6", "N7", "N7-never", "N1-msix", "N2-msix", "N3-msix"), _SPLIT
) | {"N2-packed": "emulated:blk?size=1M"}
