"""Media device (virtio 1.4, 5.22)."""

from __future__ import annotations

from .model import DeviceSpec, Field, QueueName

__all__ = ["SPEC"]

SPEC = DeviceSpec(
    number=48,
    title="media device",
    section="5.22",
    fields=(
        Field("device_caps", 0, 4, kind="hex"),
        Field("device_type", 4, 4),
        Field("card", 8, 1, 32, kind="text"),
    ),
    queues=(QueueName("commandq", 0, answered=True), QueueName("eventq", 1, answered=False)),
)
