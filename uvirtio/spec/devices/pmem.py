"""Persistent memory device (virtio 1.4, 5.19)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

SHMEM_REGION = 0

SPEC = DeviceSpec(
    number=27,
    title="PMEM device",
    section="5.19",
    features=(
        FeatureBit(SHMEM_REGION, "PMEM_F_SHMEM_REGION", "The memory is shared memory region 0, not start and size."),
    ),
    fields=(
        Field("start", 0, 8, kind="hex"),
        Field("size", 8, 8, unit="bytes"),
    ),
    queues=(QueueName("req_vq", 0, answered=True),),
)
