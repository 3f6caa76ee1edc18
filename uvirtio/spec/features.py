"""Feature bits: their numbers, the set that a device offers or a driver accepts, and what they depend on.

A feature *bit number* and a *status bit mask* are different things that get mixed up in the wild; here a feature is
a :class:`Feature` or a plain bit number inside a :class:`Features` set, and never meets a status byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum

__all__ = ["COMMON_DEPENDENCIES", "Feature", "Features"]


class Feature(IntEnum):
    """Device-independent feature bit numbers (virtio 1.4, chapter 6), and the two draft SUSPEND bits."""

    NOTIFY_ON_EMPTY = 24  # legacy interface only (6.3)
    ANY_LAYOUT = 27  # legacy interface only (6.3)
    INDIRECT_DESC = 28
    EVENT_IDX = 29
    UNUSED = 30  # legacy: QEMU's VIRTIO_F_BAD_FEATURE
    VERSION_1 = 32
    ACCESS_PLATFORM = 33
    RING_PACKED = 34
    IN_ORDER = 35
    ORDER_PLATFORM = 36
    SR_IOV = 37
    NOTIFICATION_DATA = 38
    NOTIF_CONFIG_DATA = 39
    RING_RESET = 40
    ADMIN_VQ = 41
    SUSPEND = 43


class Features:
    """An immutable set of feature bits, 0 to 127. Iterating gives bit numbers in ascending order."""

    __slots__ = ("mask",)

    def __init__(self, mask: int = 0) -> None:
        self.mask = mask

    @classmethod
    def of(cls, *bits: int) -> Features:
        """The set of these bit numbers."""
        mask = 0
        for bit in bits:
            mask |= 1 << bit
        return cls(mask)

    def __contains__(self, bit: int) -> bool:
        return bool(self.mask >> bit & 1)

    def __iter__(self) -> Iterator[int]:
        mask, bit = self.mask, 0
        while mask:
            if mask & 1:
                yield bit
            mask >>= 1
            bit += 1

    def __and__(self, other: Features) -> Features:
        return Features(self.mask & other.mask)

    def __or__(self, other: Features) -> Features:
        return Features(self.mask | other.mask)

    def __sub__(self, other: Features) -> Features:
        return Features(self.mask & ~other.mask)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Features) and self.mask == other.mask

    def __hash__(self) -> int:
        return hash(self.mask)

    def __bool__(self) -> bool:
        return self.mask != 0

    def __len__(self) -> int:
        return self.mask.bit_count()

    def __str__(self) -> str:
        return f"{self.mask:#018x}"

    def __repr__(self) -> str:
        return f"Features({self.mask:#x})"

    def with_bits(self, bits: Iterable[int]) -> Features:
        """This set with more bits."""
        return self | Features.of(*bits)


#: bit -> bits that it requires (virtio 1.4, 6 and 2.2.1); those of a device type stand in ``spec.devices``.
COMMON_DEPENDENCIES: dict[int, tuple[int, ...]] = {
    Feature.RING_PACKED: (Feature.VERSION_1,),
    Feature.SUSPEND: (Feature.VERSION_1,),
    Feature.NOTIF_CONFIG_DATA: (Feature.VERSION_1,),
    Feature.RING_RESET: (Feature.VERSION_1,),
}
