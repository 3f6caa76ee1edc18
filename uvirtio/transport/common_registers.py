"""The registers of the common configuration by name, for those who look at a device rather than drive it (4.1.4.3)."""

from __future__ import annotations

from ..access.view import Region
from ..spec.registers import COMMON

__all__ = ["CommonRegisters"]


class CommonRegisters:
    """struct virtio_pci_common_cfg over its ``region``: each access is one bus access of the register's width."""

    def __init__(self, region: Region) -> None:
        self._region = region

    def has(self, name: str) -> bool:
        """Whether the structure is long enough for a register."""
        register = COMMON[name]
        return register.offset + register.width <= self._region.length

    def get(self, name: str) -> int:
        """A register's value; 0 where the structure ends before it."""
        register = COMMON[name]
        return self._region.read(register.offset, register.width) if self.has(name) else 0

    def put(self, name: str, value: int) -> None:
        """Write a register."""
        register = COMMON[name]
        self._region.write(register.offset, register.width, value)

    def select(self, name: str, value: int) -> bool:
        """Write a selector, and tell whether it reads back."""
        self.put(name, value)
        return self.get(name) == value
