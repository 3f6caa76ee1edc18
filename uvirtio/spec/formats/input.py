"""Events and answers to queries of an input device (virtio 1.4, 5.8)."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

__all__ = ["ABS_INFO", "ANSWER_LENGTH", "DEVICE_IDS", "EVENT", "EventType", "Select"]

#: struct virtio_input_event: le16 type, le16 code, le32 value (5.8.6).
EVENT = Struct("<HHI")
#: Longest answer to a query, in bytes (5.8.4).
ANSWER_LENGTH = 128
#: struct virtio_input_devids: le16 bustype, vendor, product, version.
DEVICE_IDS = Struct("<HHHH")
#: struct virtio_input_absinfo: le32 min, max, fuzz, flat, res.
ABS_INFO = Struct("<5I")


class Select(IntEnum):
    """``select`` in the configuration: what is asked for (5.8.4)."""

    UNSET = 0x00
    ID_NAME = 0x01
    ID_SERIAL = 0x02
    ID_DEVIDS = 0x03
    PROP_BITS = 0x10
    EV_BITS = 0x11
    ABS_INFO = 0x12


class EventType(IntEnum):
    """Event types of the Linux input layer (evdev), which the specification takes over."""

    SYN = 0x00
    KEY = 0x01
    REL = 0x02
    ABS = 0x03
    MSC = 0x04
    SW = 0x05
    LED = 0x11
    SND = 0x12
    REP = 0x14
