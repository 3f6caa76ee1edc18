"""CAN device (virtio 1.4, 5.20)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

CAN_CLASSIC, CAN_FD, RTR_FRAMES, LATE_TX_ACK = 0, 1, 2, 3

SPEC = DeviceSpec(
    number=36,
    title="CAN device",
    section="5.20",
    features=(
        FeatureBit(CAN_CLASSIC, "CAN_F_CAN_CLASSIC", "Classic frames with up to 8 bytes."),
        FeatureBit(CAN_FD, "CAN_F_CAN_FD", "CAN FD frames with up to 64 bytes."),
        FeatureBit(RTR_FRAMES, "CAN_F_RTR_FRAMES", "Remote transmission requests.", (CAN_CLASSIC,)),
        FeatureBit(LATE_TX_ACK, "CAN_F_LATE_TX_ACK", "A transmission is used only when it was on the bus."),
    ),
    fields=(Field("status", 0, 2, kind="hex", flags=((0, "CTRL_BUSOFF"),)),),
    queues=(
        QueueName("Txq", 0, answered=True),
        QueueName("Rxq", 1, answered=False),
        QueueName("Controlq", 2, answered=True),
    ),
)
