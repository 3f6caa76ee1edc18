"""Socket device (virtio 1.4, 5.10)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

STREAM, SEQPACKET, NO_IMPLIED_STREAM = 0, 1, 2

SPEC = DeviceSpec(
    number=19,
    title="socket device",
    section="5.10",
    features=(
        FeatureBit(STREAM, "VSOCK_F_STREAM", "There are stream sockets."),
        FeatureBit(SEQPACKET, "VSOCK_F_SEQPACKET", "There are sequential-packet sockets."),
        FeatureBit(NO_IMPLIED_STREAM, "VSOCK_F_NO_IMPLIED_STREAM", "Stream sockets are there only with their own bit."),
    ),
    fields=(Field("guest_cid", 0, 8, unit="context id"),),
    queues=(
        QueueName("rx", 0, answered=False),
        QueueName("tx", 1, answered=True),
        QueueName("event", 2, answered=False),
    ),
)
