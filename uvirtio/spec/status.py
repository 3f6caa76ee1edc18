"""The device status byte (virtio 1.4, 2.1)."""

from __future__ import annotations

from enum import IntFlag

__all__ = ["GONE", "Status", "describe"]


class Status(IntFlag):
    """The bits of ``device_status``."""

    ACKNOWLEDGE = 1
    DRIVER = 2
    DRIVER_OK = 4
    FEATURES_OK = 8
    SUSPEND = 16
    DEVICE_NEEDS_RESET = 64
    FAILED = 128


#: What a register of an absent (or, on some devices, a quiescing) device reads.
GONE = 0xFF


def describe(value: int) -> str:
    """A status byte as hex with the names of its bits, e.g. ``0x1b (ACKNOWLEDGE DRIVER FEATURES_OK SUSPEND)``."""
    if value == 0:
        return "0x00 (reset)"
    if value == GONE:
        return "0xff (all-ones: absent or busy)"
    names = [bit.name or "" for bit in Status if value & bit]
    if value & 0x20:
        names.append("reserved-5")
    return f"{value:#04x} ({' '.join(names)})"
