"""On which device each fault of this chapter is shown: fault -> locator, to which the fault is added."""

from __future__ import annotations

_VSOCK = "emulated:vsock?shm=2&vendor_data=on"

WHERE: dict[str, str] = (
    dict.fromkeys((f"P{number}" for number in range(5, 19)), _VSOCK)
    | dict.fromkeys(("P1", "P2", "P3", "P4", "P17-next"), "emulated:rng")
    | dict.fromkeys(
        ("P19", "P19-moved", "P19-reset", "P20", "P21", "P22", "P23"), "emulated:blk?size=1M&features=-RING_PACKED"
    )
)
