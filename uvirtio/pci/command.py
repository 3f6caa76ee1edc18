"""The command register of a PCI function (PCI Local Bus 3.0, 6.2.2)."""

from __future__ import annotations

from ..access.view import Region
from ..spec.pci import Header

__all__ = ["change_command"]


def change_command(config: Region, *, set_bits: int = 0, clear_bits: int = 0) -> None:
    """Set and clear bits of the command register; written only where that changes it, and not to a device that is gone."""
    before = config.u16[Header.COMMAND // 2]
    after = (before | set_bits) & ~clear_bits
    if before not in (0xFFFF, after):
        config.u16[Header.COMMAND // 2] = after
