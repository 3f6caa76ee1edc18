"""On which device each fault of this chapter is shown: fault -> locator, to which the fault is added."""

from __future__ import annotations

_SLOW = "emulated:rng?latency=0.005&depth=4"
_SPLIT = "emulated:blk?size=1M&features=-RING_PACKED"

WHERE: dict[str, str] = {
    "Q1": _SLOW,
    "Q1-enabled": _SLOW,
    "Q2": "emulated:rng",
    "Q3": "emulated:blk?size=1M",
    "Q4": "emulated:rng",
    "Q5": _SPLIT,
    "Q6": _SPLIT,
    "Q7": "emulated:rng",
    "Q7-second": "emulated:rng",
    "Q8": _SPLIT,
    "Q9": "emulated:rng",
    "Q10": "emulated:rng?features=+IN_ORDER,-RING_PACKED&latency=0.005&depth=4",
}
