"""DMA memory with guard zones: what a device writes beside the memory that it was given shows.

For a driver that watches its device. Everything that is allocated lies between two zones of known contents.
"""

from __future__ import annotations

from typing import NamedTuple

from .dma import Dma, DmaMemory

__all__ = ["ZONE", "GuardedMemory", "Stray"]

#: Bytes of a zone.
ZONE = 64
#: What stands in one: no byte twice, none that is common.
_CONTENTS = bytes((0x51 + 37 * at) & 0xFF for at in range(ZONE))


class Stray(NamedTuple):
    """Bytes that a device has written beside a piece of memory.

    ``owner``: what the piece is; ``address``: its bus address; ``size``: its bytes. ``first`` and ``last``: the outermost of
    the written bytes, as offsets from its beginning, so below 0 or from ``size`` on.
    """

    owner: str
    address: int
    size: int
    first: int
    last: int


class _Piece:
    """A piece and the zones around it."""

    __slots__ = ("address", "after", "before", "block", "owner", "size")

    def __init__(self, block: Dma, lead: int, size: int) -> None:
        self.block = block
        self.address = block.address + lead
        self.size = size
        self.before = block.memory[lead - ZONE : lead]
        self.after = block.memory[lead + size : lead + size + ZONE]
        self.owner: object = "memory of the driver's"
        self.before[:] = self.after[:] = _CONTENTS

    def intact(self) -> bool:
        """Whether nothing was written into the zones. ``tobytes``: the cheapest way to compare a view, and this runs for each buffer."""
        return self.before.tobytes() == _CONTENTS and self.after.tobytes() == _CONTENTS

    def strays(self) -> list[Stray]:
        """What was written into the zones, which are as before then."""
        found = []
        for zone, base in ((self.before, -ZONE), (self.after, self.size)):
            contents = zone.tobytes()
            if wrong := [at for at in range(ZONE) if contents[at] != _CONTENTS[at]]:
                found.append(Stray(str(self.owner), self.address, self.size, base + wrong[0], base + wrong[-1]))
                zone[:] = _CONTENTS
        return found


class GuardedMemory:
    """The memory of a bus, each piece between two zones. It is itself such a memory."""

    def __init__(self, inner: DmaMemory) -> None:
        self._inner = inner
        self._pieces: dict[int, _Piece] = {}
        #: What was found around pieces that are free again.
        self._late: list[Stray] = []

    def allocate(self, size: int, alignment: int = 64, residue: int = 0) -> Dma:
        """See :class:`DmaMemory`."""
        lead = max(ZONE, alignment)
        block = self._inner.allocate(lead + size + ZONE, alignment, residue)
        piece = _Piece(block, lead, size)
        self._pieces[piece.address] = piece
        return Dma(self, block.memory[lead : lead + size], piece.address, block.offset + lead)

    def name(self, dma: Dma, owner: object) -> None:
        """Say what a piece is: a text, or what has one (``str``) once it is wanted."""
        self._pieces[dma.address].owner = owner

    def release(self, dma: Dma) -> None:
        """Take a piece back."""
        piece = self._pieces.pop(dma.address)
        if not piece.intact():
            self._late += piece.strays()
        piece.block.free()

    def strays(self) -> list[Stray]:
        """What has been written into zones since the last call."""
        found, self._late = self._late, []
        for piece in self._pieces.values():
            if not piece.intact():
                found += piece.strays()
        return found

    def strays_of(self, dma: Dma) -> list[Stray]:
        """The same for one piece."""
        piece = self._pieces[dma.address]
        return [] if piece.intact() else piece.strays()

    def verify(self) -> None:
        """See :class:`DmaMemory`."""
        self._inner.verify()

    def close(self) -> None:
        """See :class:`DmaMemory`."""
        self._inner.close()
