"""GPIO device (virtio 1.4, 5.18)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

IRQ = 0

SPEC = DeviceSpec(
    number=41,
    title="GPIO device",
    section="5.18",
    features=(FeatureBit(IRQ, "GPIO_F_IRQ", "Lines can interrupt, through the event queue."),),
    fields=(
        Field("ngpio", 0, 2, unit="lines"),
        Field("gpio_names_size", 4, 4, unit="bytes"),
    ),
    queues=(
        QueueName("requestq", 0, answered=True),
        QueueName("eventq", 1, answered=False, features=(IRQ,)),
    ),
)
