"""IOMMU device (virtio 1.4, 5.13)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

INPUT_RANGE, DOMAIN_RANGE, MAP_UNMAP, BYPASS, PROBE, MMIO, BYPASS_CONFIG = 0, 1, 2, 3, 4, 5, 6

SPEC = DeviceSpec(
    number=23,
    title="IOMMU device",
    section="5.13",
    features=(
        FeatureBit(INPUT_RANGE, "IOMMU_F_INPUT_RANGE", "The field input_range limits virtual addresses."),
        FeatureBit(DOMAIN_RANGE, "IOMMU_F_DOMAIN_RANGE", "The field domain_range limits domain ids."),
        FeatureBit(MAP_UNMAP, "IOMMU_F_MAP_UNMAP", "The driver can map and unmap."),
        FeatureBit(
            BYPASS,
            "IOMMU_F_BYPASS",
            "Endpoints without a domain reach memory untranslated; replaced by BYPASS_CONFIG.",
            excludes=(BYPASS_CONFIG,),
        ),
        FeatureBit(PROBE, "IOMMU_F_PROBE", "The driver can probe the properties of an endpoint."),
        FeatureBit(MMIO, "IOMMU_F_MMIO", "Mappings can be marked as MMIO."),
        FeatureBit(
            BYPASS_CONFIG,
            "IOMMU_F_BYPASS_CONFIG",
            "The field bypass switches whether endpoints without a domain reach memory.",
            excludes=(BYPASS,),
        ),
    ),
    fields=(
        Field("page_size_mask", 0, 8, kind="hex"),
        Field("input_range.start", 8, 8, features=(INPUT_RANGE,), kind="hex"),
        Field("input_range.end", 16, 8, features=(INPUT_RANGE,), kind="hex"),
        Field("domain_range.start", 24, 4, features=(DOMAIN_RANGE,)),
        Field("domain_range.end", 28, 4, features=(DOMAIN_RANGE,)),
        Field("probe_size", 32, 4, unit="bytes", features=(PROBE,)),
        Field("bypass", 36, 1, writable=True, features=(BYPASS_CONFIG,), values=((0, "off"), (1, "on"))),
    ),
    queues=(QueueName("requestq", 0, answered=True), QueueName("eventq", 1, answered=False)),
)
