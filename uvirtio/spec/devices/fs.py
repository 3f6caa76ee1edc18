"""File system device (virtio 1.4, 5.11)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

NOTIFICATION = 0

SPEC = DeviceSpec(
    number=26,
    title="file system device",
    section="5.11",
    features=(FeatureBit(NOTIFICATION, "FS_F_NOTIFICATION", "There is a queue for FUSE notifications."),),
    fields=(
        Field("tag", 0, 1, 36, kind="text"),
        Field("num_request_queues", 36, 4, unit="request queues"),
        Field("notify_buf_size", 40, 4, unit="bytes", features=(NOTIFICATION,)),
    ),
    queues=(
        QueueName("hiprio", 0, answered=True),
        QueueName("notification queue", 1, answered=False, features=(NOTIFICATION,)),
        # Queue 1 where there is no notification queue, as every implementation has it.
        QueueName("requestq{n}", 1, answered=True, step=1),
    ),
)
