"""Memory device (virtio 1.4, 5.15)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

ACPI_PXM, UNPLUGGED_INACCESSIBLE, PERSISTENT_SUSPEND = 0, 1, 2

SPEC = DeviceSpec(
    number=24,
    title="memory device",
    section="5.15",
    features=(
        FeatureBit(ACPI_PXM, "MEM_F_ACPI_PXM", "The field node_id holds an ACPI proximity domain."),
        FeatureBit(UNPLUGGED_INACCESSIBLE, "MEM_F_UNPLUGGED_INACCESSIBLE", "Unplugged memory must not be touched."),
        FeatureBit(PERSISTENT_SUSPEND, "MEM_F_PERSISTENT_SUSPEND", "The guest may suspend to RAM."),
    ),
    fields=(
        Field("block_size", 0, 8, unit="bytes"),
        # Always there, but it means something only with MEM_F_ACPI_PXM.
        Field("node_id", 8, 2, features=(ACPI_PXM,)),
        Field("addr", 16, 8, kind="hex"),
        Field("region_size", 24, 8, unit="bytes"),
        Field("usable_region_size", 32, 8, unit="bytes"),
        Field("plugged_size", 40, 8, unit="bytes"),
        Field("requested_size", 48, 8, unit="bytes"),
    ),
    queues=(QueueName("guest-request", 0, answered=True),),
)
