"""The ways to a device file of VFIO, and to its IOMMU: what they have in common."""

from __future__ import annotations

from typing import Protocol

from .descriptor import VfioDevice

__all__ = ["Ranges", "WayIn"]

#: First and last bus address of each stretch that may be mapped.
Ranges = tuple[tuple[int, int], ...]


class WayIn(Protocol):
    """An opened device with what maps memory for it."""

    #: For people.
    description: str
    #: Whether there is no IOMMU, so that bus addresses are physical and nothing is mapped.
    physical: bool
    device: VfioDevice

    def ranges(self) -> Ranges:
        """The bus addresses that may be mapped; empty where the kernel does not say."""

    def map(self, address: int, bus_address: int, size: int) -> None:
        """Let the device reach memory of this process. Raises :class:`CannotRun`."""

    def unmap(self, bus_address: int, size: int) -> None:
        """Take it away from the device. Raises :class:`CannotRun`."""

    def close(self) -> None:
        """Close everything; idempotent."""
