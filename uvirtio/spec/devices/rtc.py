"""RTC device (virtio 1.4, 5.23)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, QueueName

__all__ = ["SPEC"]

ALARM = 0

SPEC = DeviceSpec(
    number=17,
    title="RTC (real time clock) device",
    section="5.23",
    features=(FeatureBit(ALARM, "RTC_F_ALARM", "Alarms can be set for some of the clocks."),),
    queues=(
        QueueName("requestq", 0, answered=True),
        QueueName("alarmq", 1, answered=False, features=(ALARM,)),
    ),
)
