"""9P transport (device id 9): reserved by the specification, defined by Linux's ``virtio_9p.h`` and by QEMU."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

MOUNT_TAG = 0

SPEC = DeviceSpec(
    number=9,
    title="9P transport",
    features=(FeatureBit(MOUNT_TAG, "9P_MOUNT_TAG", "The configuration holds the name to mount by.", origin="linux"),),
    fields=(
        Field("tag_len", 0, 2, unit="bytes", features=(MOUNT_TAG,)),
        Field("tag", 2, 1, kind="text", counted_by="tag_len", features=(MOUNT_TAG,)),
    ),
    queues=(QueueName("requestq", 0, answered=True),),
)
