"""What a device has to survive although no driver may do it: X rows."""

from __future__ import annotations

from .model import Statement, Unjudged

__all__ = ["ROWS", "UNJUDGED"]

ROWS: tuple[Statement, ...] = ()

UNJUDGED: tuple[Unjudged, ...] = ()
