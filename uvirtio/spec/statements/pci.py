"""The PCI function: ids, capabilities, structures, the PCI_CFG window (4.1): P rows."""

from __future__ import annotations

from .model import Statement, Unjudged

__all__ = ["ROWS", "UNJUDGED"]

ROWS: tuple[Statement, ...] = ()

UNJUDGED: tuple[Unjudged, ...] = ()
