"""Input device (virtio 1.4, 5.8)."""

from __future__ import annotations

from .model import DeviceSpec, Field, QueueName

__all__ = ["SPEC"]

_SELECT = (
    (0x00, "UNSET"),
    (0x01, "ID_NAME"),
    (0x02, "ID_SERIAL"),
    (0x03, "ID_DEVIDS"),
    (0x10, "PROP_BITS"),
    (0x11, "EV_BITS"),
    (0x12, "ABS_INFO"),
)

SPEC = DeviceSpec(
    number=18,
    title="input device",
    section="5.8",
    fields=(
        Field("select", 0, 1, writable=True, values=_SELECT),
        Field("subsel", 1, 1, writable=True),
        Field("size", 2, 1, unit="bytes"),
        Field("u", 8, 1, 128, kind="bytes"),
    ),
    queues=(QueueName("eventq", 0, answered=False), QueueName("statusq", 1, answered=True)),
)
