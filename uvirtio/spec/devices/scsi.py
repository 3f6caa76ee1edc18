"""SCSI host device (virtio 1.4, 5.6)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

INOUT, HOTPLUG, CHANGE, T10_PI = 0, 1, 2, 3

SPEC = DeviceSpec(
    number=8,
    title="SCSI host",
    section="5.6",
    features=(
        FeatureBit(INOUT, "SCSI_F_INOUT", "One request may carry data in both directions."),
        FeatureBit(HOTPLUG, "SCSI_F_HOTPLUG", "Logical units that come and go are reported on the event queue."),
        FeatureBit(CHANGE, "SCSI_F_CHANGE", "Changed parameters of a logical unit are reported on the event queue."),
        FeatureBit(T10_PI, "SCSI_F_T10_PI", "Requests carry T10 protection information."),
    ),
    fields=(
        Field("num_queues", 0, 4, unit="request queues"),
        Field("seg_max", 4, 4, unit="segments"),
        Field("max_sectors", 8, 4, unit="sectors"),
        Field("cmd_per_lun", 12, 4, unit="commands"),
        Field("event_info_size", 16, 4, unit="bytes"),
        Field("sense_size", 20, 4, unit="bytes", writable=True),
        Field("cdb_size", 24, 4, unit="bytes", writable=True),
        Field("max_channel", 28, 2),
        Field("max_target", 30, 2),
        Field("max_lun", 32, 4),
    ),
    queues=(
        QueueName("controlq", 0, answered=True),
        QueueName("eventq", 1, answered=False),
        QueueName("requestq{n}", 2, answered=True, step=1),
    ),
)
