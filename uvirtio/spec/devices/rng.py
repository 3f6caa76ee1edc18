"""Entropy device (virtio 1.4, 5.4)."""

from __future__ import annotations

from .model import DeviceSpec, QueueName

__all__ = ["SPEC"]

SPEC = DeviceSpec(
    number=4,
    title="entropy source",
    section="5.4",
    queues=(QueueName("requestq", 0, answered=True),),
)
