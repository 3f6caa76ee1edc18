"""Whether a device goes through the IOMMU by its own word: what bus addresses it can be given hangs on that."""

from __future__ import annotations

from typing import Protocol

from ...access.view import Region
from ...pci.capabilities import Capability, first_usable
from ...spec.features import Feature
from ...spec.pci import StructureType
from ...spec.registers import COMMON

__all__ = ["offers_platform"]


class _Bars(Protocol):
    @property
    def locator(self) -> str: ...

    def bar(self, number: int) -> Region: ...


def offers_platform(function: _Bars, capabilities: list[Capability]) -> bool:
    """Whether a modern device offers VIRTIO_F_ACCESS_PLATFORM (virtio 1.4, 6); no other register is touched."""
    found = first_usable(capabilities, StructureType.COMMON, function.locator, required=False)
    if found is None:
        return False
    word, bit = divmod(Feature.ACCESS_PLATFORM, 32)
    registers = function.bar(found.bar).window(found.offset, found.length)
    registers.u32[COMMON["device_feature_select"].offset // 4] = word
    return bool(registers.u32[COMMON["device_feature"].offset // 4] >> bit & 1)
