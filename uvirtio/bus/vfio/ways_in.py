"""The ways to a device file of VFIO, and to its IOMMU: what they have in common."""

from __future__ import annotations

from typing import Protocol

from .descriptor import VfioDevice
from .kernel import Kernel

__all__ = ["OpenFiles", "Ranges", "WayIn"]

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


class OpenFiles:
    """The device and the files beside its own that a way in has open."""

    device: VfioDevice

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._handles: list[int] = []

    def close(self) -> None:
        """See :class:`WayIn`."""
        if self._handles:
            self.device.close()
            self._close_handles()

    def _close_handles(self) -> None:
        # The latest first: the kernel takes the IOMMU away with the last group, so a group goes before its container.
        while self._handles:
            self._kernel.close(self._handles.pop())
