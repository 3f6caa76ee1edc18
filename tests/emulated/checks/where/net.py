"""On which device each fault of this chapter is shown: fault -> locator, to which the fault is added."""

from __future__ import annotations

_RSS = "emulated:net?queues=2&features=+RSS,+SPEED_DUPLEX"

WHERE: dict[str, str] = dict.fromkeys((f"NET{number}" for number in range(1, 8)), _RSS) | {
    "NET8": "emulated:net?features=+HASH_REPORT",
    "NET9": "emulated:net?features=+CTRL_RX_EXTRA",
    "NET10": "emulated:net",
    "NET11": "emulated:net",
    "NET12": "emulated:net",
    "NET13": "emulated:net",
    "NET14": "emulated:net",
}
