"""Replay-protected memory block device (virtio 1.4, 5.12)."""

from __future__ import annotations

from .model import DeviceSpec, Field, QueueName

__all__ = ["SPEC"]

SPEC = DeviceSpec(
    number=28,
    title="RPMB device",
    section="5.12",
    fields=(
        Field("capacity", 0, 1, unit="128 KiB"),
        Field("max_wr_cnt", 1, 1, unit="256-byte blocks", values=((0, "no limit"),)),
        Field("max_rd_cnt", 2, 1, unit="256-byte blocks", values=((0, "no limit"),)),
    ),
    queues=(QueueName("requestq", 0, answered=True),),
)
