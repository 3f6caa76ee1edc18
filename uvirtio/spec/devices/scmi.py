"""SCMI device (virtio 1.4, 5.17)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, QueueName

__all__ = ["SPEC"]

P2A_CHANNELS, SHARED_MEMORY = 0, 1

SPEC = DeviceSpec(
    number=32,
    title="SCMI device",
    section="5.17",
    features=(
        FeatureBit(P2A_CHANNELS, "SCMI_F_P2A_CHANNELS", "The device sends notifications or delayed responses."),
        FeatureBit(SHARED_MEMORY, "SCMI_F_SHARED_MEMORY", "The device has shared memory with statistics."),
    ),
    queues=(
        QueueName("cmdq", 0, answered=True),
        QueueName("eventq", 1, answered=False, features=(P2A_CHANNELS,)),
    ),
)
