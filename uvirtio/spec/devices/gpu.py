"""GPU device (virtio 1.4, 5.7)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

VIRGL, EDID, RESOURCE_UUID, RESOURCE_BLOB, CONTEXT_INIT, BLOB_ALIGNMENT = 0, 1, 2, 3, 4, 5

_EVENTS = ((0, "DISPLAY"),)

SPEC = DeviceSpec(
    number=16,
    title="GPU device",
    section="5.7",
    features=(
        FeatureBit(VIRGL, "GPU_F_VIRGL", "The device does 3D through virgl."),
        FeatureBit(EDID, "GPU_F_EDID", "The device gives the EDID of its displays."),
        FeatureBit(
            RESOURCE_UUID, "GPU_F_RESOURCE_UUID", "Resources get UUIDs by which other virtio devices import them."
        ),
        FeatureBit(RESOURCE_BLOB, "GPU_F_RESOURCE_BLOB", "Resources can be blobs that have only a size."),
        FeatureBit(
            CONTEXT_INIT,
            "GPU_F_CONTEXT_INIT",
            "There are several context types and timelines to synchronise on.",
            (VIRGL,),
        ),
        FeatureBit(BLOB_ALIGNMENT, "GPU_F_BLOB_ALIGNMENT", "The field blob_alignment is valid.", (RESOURCE_BLOB,)),
    ),
    fields=(
        Field("events_read", 0, 4, kind="hex", flags=_EVENTS),
        Field("events_clear", 4, 4, writable=True, kind="hex", flags=_EVENTS),
        Field("num_scanouts", 8, 4, unit="scanouts"),
        Field("num_capsets", 12, 4, unit="capability sets"),
        Field("blob_alignment", 16, 4, unit="bytes", features=(BLOB_ALIGNMENT,)),
    ),
    queues=(QueueName("controlq", 0, answered=True), QueueName("cursorq", 1, answered=True)),
)
