"""A BAR through the PCI_CFG capability: registers reached in configuration space alone (virtio 1.4, 4.1.4.9).

The way to a device whose BARs cannot be mapped, because a kernel driver holds them. Every access writes the
capability's fields first, and the capability is shared: nobody else may use it meanwhile.
"""

from __future__ import annotations

from ..access.view import Region
from ..errors import DeviceMisbehaved
from ..spec.pci import StructureCap

__all__ = ["window_bar"]


def window_bar(config: Region, at: int, number: int, length: int) -> Region:
    """The registers of BAR ``number`` (``length`` bytes) behind the PCI_CFG capability at offset ``at``.

    Accesses are 1, 2 or 4 bytes, aligned, as everywhere. Raises :class:`DeviceMisbehaved` when the capability lies
    where 32-bit accesses cannot reach its fields.
    """
    if at % 4 or at + StructureCap.SIZE + 4 > config.length:
        raise DeviceMisbehaved(
            f"the PCI_CFG capability at {at:#x} is not aligned to 4 or ends beyond configuration space"
        )

    def aim(offset: int, width: int) -> None:
        config.u8[at + StructureCap.BAR] = number
        config.u32[(at + StructureCap.STRUCTURE_OFFSET) // 4] = offset
        config.u32[(at + StructureCap.STRUCTURE_LENGTH) // 4] = width

    def read(offset: int, width: int) -> int:
        aim(offset, width)
        return config.read(at + StructureCap.PCI_CFG_DATA, width)

    def write(offset: int, width: int, value: int) -> None:
        aim(offset, width)
        config.write(at + StructureCap.PCI_CFG_DATA, width, value)

    return Region.calls(read, write, length)
