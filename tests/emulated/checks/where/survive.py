"""On which device each fault of this chapter is shown: fault -> locator, to which the fault is added. All of them suspend."""

from __future__ import annotations

_SPLIT = "emulated:rng?features=-RING_PACKED"
_PACKED = "emulated:rng"

WHERE: dict[str, str] = (
    dict.fromkeys(
        ("U1", "U2", "U3", "U4", "U6", "U7", "U8", "U8-pending", "U9", "U10", "U12", "U13", "U14", "U16"), _SPLIT
    )
    | dict.fromkeys(("U5", "U5-used", "U5-reset", "U9-config", "U12-reset"), _PACKED)
    | {
        "U3-replay": "emulated:rng?features=-RING_PACKED&queue_size=1024",
        "U11": "emulated:net",
        "U15": "emulated:blk?size=128K",
    }
)
