"""Whose a verdict is, where a device is two programs: one that has the registers, one that works on the rings."""

from __future__ import annotations

from uvirtio.bus import Surroundings
from uvirtio.spec.statements import CHAPTERS, Statement

__all__ = ["whose"]

#: Chapters about configuration space, registers, status and reset.
_REGISTERS = ("pci", "basic")
#: Chapters that are about both: what one does shows in what the other has.
_BOTH = ("suspend", "notifications")
#: The same of single ones: what is offered is what both of them can.
_OFFER = "B1"


def whose(statement: Statement, surroundings: Surroundings) -> str:
    """A remark on a verdict about the statement; empty where the device is one program."""
    if not surroundings.backend:
        return ""
    chapter = next(name for name, ids in CHAPTERS.items() if statement.id in ids)
    if chapter in _REGISTERS and statement.id != _OFFER:
        return f"this is {surroundings.frontend}'s, which has the registers"
    if chapter in _BOTH or statement.id == _OFFER:
        return f"this may be {surroundings.frontend}'s, which has the registers, or that of {surroundings.backend}"
    return f"this is that of {surroundings.backend}, which works on the rings"
