"""Device-independent feature bits in words (virtio 1.4, chapter 6), and the drafts that share their numbers."""

from __future__ import annotations

from ..features import Feature
from .model import FeatureBit

__all__ = ["COMMON", "DRAFTS", "LINUX"]

#: The bits of chapter 6 and those of the legacy interface.
COMMON: tuple[FeatureBit, ...] = (
    FeatureBit(
        Feature.NOTIFY_ON_EMPTY,
        "F_NOTIFY_ON_EMPTY",
        "The device notifies when it runs out of available buffers, even where notifications are suppressed.",
        origin="legacy",
    ),
    FeatureBit(
        Feature.ANY_LAYOUT,
        "F_ANY_LAYOUT",
        "The device takes a request cut into buffers in any way.",
        origin="legacy",
    ),
    FeatureBit(Feature.INDIRECT_DESC, "F_INDIRECT_DESC", "A descriptor may point to a table of descriptors."),
    FeatureBit(Feature.EVENT_IDX, "F_EVENT_IDX", "Either side says from which buffer on it wants to be notified."),
    FeatureBit(
        Feature.UNUSED,
        "F_UNUSED",
        "QEMU's check for very early drivers; vhost-user uses the number for its protocol features. Not to be accepted.",
        origin="legacy",
    ),
    FeatureBit(Feature.VERSION_1, "F_VERSION_1", "The device follows virtio 1.0 or later: it is not a legacy device."),
    FeatureBit(
        Feature.ACCESS_PLATFORM,
        "F_ACCESS_PLATFORM",
        "The device reaches memory as the platform lets it, for instance through an IOMMU.",
    ),
    FeatureBit(Feature.RING_PACKED, "F_RING_PACKED", "Virtqueues have the packed layout.", (Feature.VERSION_1,)),
    FeatureBit(Feature.IN_ORDER, "F_IN_ORDER", "Buffers are used in the order in which they were made available."),
    FeatureBit(
        Feature.ORDER_PLATFORM,
        "F_ORDER_PLATFORM",
        "Memory accesses need the platform's barriers, as for a device made of hardware.",
    ),
    FeatureBit(Feature.SR_IOV, "F_SR_IOV", "The device has virtual functions."),
    FeatureBit(
        Feature.NOTIFICATION_DATA,
        "F_NOTIFICATION_DATA",
        "Notifications to the device carry the position in the ring as well.",
    ),
    FeatureBit(
        Feature.NOTIF_CONFIG_DATA,
        "F_NOTIF_CONFIG_DATA",
        "Notifications to the device carry a value that the device chose instead of the queue's index.",
        (Feature.VERSION_1,),
    ),
    FeatureBit(Feature.RING_RESET, "F_RING_RESET", "One queue can be reset by itself.", (Feature.VERSION_1,)),
    FeatureBit(
        Feature.ADMIN_VQ,
        "F_ADMIN_VQ",
        "The device has administration queues. (The suspend RFC of 2023 used this number for SUSPEND.)",
    ),
    FeatureBit(
        Feature.SUSPEND,
        "F_SUSPEND",
        "The driver can suspend the device with the status bit SUSPEND, dialect 1.4.",
        (Feature.VERSION_1,),
    ),
)

#: Bits that the specification leaves to device types, used by a draft of SUSPEND on every type.
DRAFTS: tuple[FeatureBit, ...] = (
    FeatureBit(
        42,
        "F_SUSPEND_CHROMIUM",
        "The driver can suspend the device, dialect chromium (crosvm offers this; not in the specification).",
        origin="draft",
    ),
)

#: Bits that Linux's vhost defines for itself; seen on devices behind a vhost process.
LINUX: tuple[FeatureBit, ...] = (
    FeatureBit(26, "VHOST_F_LOG_ALL", "The vhost backend logs the pages that it writes.", origin="linux"),
)
