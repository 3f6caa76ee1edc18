"""On which device each further way to break suspend is shown, and what else it cannot help breaking."""

from __future__ import annotations

#: Fault -> locator, to which the fault is added.
WHERE: dict[str, str] = {
    "V3-waking": "emulated:blk?size=1M&delay=0.05",
    "V7-lost": "emulated:blk?size=1M",
    "V7-on-the-way": "emulated:blk?size=1M&delay=0.05",
    "V8-config": "emulated:blk?size=1M",
    "V8-select": "emulated:rng",
    "V9-queue": "emulated:console",
    "V12-cleared": "emulated:rng",
    "V12-last": "emulated:rng",
    "V13-silent": "emulated:rng",
    "V15-isr": "emulated:rng",
    "V16-queue": "emulated:console",
    "S3-features": "emulated:blk?size=1M",
    "S3-size": "emulated:blk?size=1M",
    "S3-address": "emulated:blk?size=1M",
    "N5-asleep": "emulated:rng",
}
#: Fault -> statements that are broken with it and that its own statement does not imply.
MORE: dict[str, set[str]] = {
    # What it works on before it shows itself running it works on while suspended.
    "V3-waking": {"V4", "V10", "V11"},
    # A queue that is dead loses what waits in it.
    "V9-queue": {"V11", "V16"},
    # A notification that is lost: what is used is notified for as long as the device works (2.7.7.2).
    "V12-cleared": {"V9", "V16"},
    "V12-last": {"V9", "V16"},
}
