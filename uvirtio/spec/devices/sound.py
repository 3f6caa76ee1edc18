"""Sound device (virtio 1.4, 5.14)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

CTLS = 0

SPEC = DeviceSpec(
    number=25,
    title="sound device",
    section="5.14",
    features=(FeatureBit(CTLS, "SND_F_CTLS", "The device has control elements."),),
    fields=(
        Field("jacks", 0, 4, unit="jacks"),
        Field("streams", 4, 4, unit="PCM streams"),
        Field("chmaps", 8, 4, unit="channel maps"),
        Field("controls", 12, 4, unit="control elements", features=(CTLS,)),
    ),
    queues=(
        QueueName("controlq", 0, answered=True),
        QueueName("eventq", 1, answered=False),
        QueueName("txq", 2, answered=True),
        QueueName("rxq", 3, answered=False),
    ),
)
