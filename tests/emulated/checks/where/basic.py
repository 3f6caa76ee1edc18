"""On which device each fault of this chapter is shown: fault -> locator, to which the fault is added."""

from __future__ import annotations

WHERE: dict[str, str] = dict.fromkeys(
    ("B2", "B3", "B4", "B8", "B9", "B10", "B11", "B14"), "emulated:blk?size=1M"
) | {
    "B1": "emulated:net",
    "B5": "emulated:rng?latency=0.005&depth=4",
    "B6": "emulated:rng?latency=0.005&depth=4",
    "B6-used": "emulated:rng?latency=0.005&depth=4",
    "B7": "emulated:vsock?guest_cid=42",
    "B12": "emulated:vsock",
    "B13": "emulated:vsock",
}  # fmt: skip
