"""I2C adapter (virtio 1.4, 5.16)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, QueueName

__all__ = ["SPEC"]

ZERO_LENGTH_REQUEST = 0

SPEC = DeviceSpec(
    number=34,
    title="I2C adapter",
    section="5.16",
    features=(
        FeatureBit(
            ZERO_LENGTH_REQUEST,
            "I2C_F_ZERO_LENGTH_REQUEST",
            "Requests may have no data, and a flag says that they read; every device has to offer this.",
        ),
    ),
    queues=(QueueName("requestq", 0, answered=True),),
)
