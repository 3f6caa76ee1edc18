"""Control messages of a console device (virtio 1.4, 5.3.6.2)."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

__all__ = ["CONTROL", "RESIZE", "Event"]

#: struct virtio_console_control: le32 id (port), le16 event, le16 value.
CONTROL = Struct("<IHH")
#: struct virtio_console_resize, behind a RESIZE message: le16 cols, le16 rows.
RESIZE = Struct("<HH")


class Event(IntEnum):
    """``event`` of a control message; who sends it stands beside it."""

    DEVICE_READY = 0  # driver
    PORT_ADD = 1  # device
    PORT_REMOVE = 2  # device
    PORT_READY = 3  # driver
    CONSOLE_PORT = 4  # device
    RESIZE = 5  # device
    PORT_OPEN = 6  # both
    PORT_NAME = 7  # device; the name follows, UTF-8, without NUL
