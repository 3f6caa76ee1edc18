"""The PCI function: ids, capabilities, structures, the PCI_CFG window (4.1)."""

from __future__ import annotations

__all__: list[str] = []
