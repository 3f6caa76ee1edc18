"""The vectors of a function as a driver reaches them: message control, table, pending bits (PCI, 6.1.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..access.trace import Recorder
from ..access.view import Region
from ..errors import DeviceMisbehaved
from ..spec.pci import CapabilityId, MsixControl, MsixEntry
from .capabilities import Capability

__all__ = ["Vector", "VectorTable", "table_place"]


class Vector(NamedTuple):
    """An entry of the table: where its message is written, what, and whether it is masked."""

    address: int
    data: int
    control: int

    @property
    def masked(self) -> bool:
        """Whether its messages wait."""
        return bool(self.control & MsixEntry.MASKED)


def table_place(capability: Capability, field: int) -> tuple[int, int]:
    """BAR and offset of the table or of the pending bits; ``field`` is ``MsixControl.TABLE`` or ``MsixControl.PBA``."""
    word = int.from_bytes(capability.raw[field : field + 4], "little")
    return word & MsixControl.BAR_MASK, word & ~MsixControl.BAR_MASK


class VectorTable:
    """MSI-X of one function. Its registers are accessed 32 bits at a time, message control 16.

    Raises :class:`DeviceMisbehaved` where the table or its pending bits do not lie in a BAR of the function.
    """

    def __init__(
        self, config: Region, bar: Callable[[int], Region], capability: Capability, recorder: Recorder | None = None
    ) -> None:
        self._config = config
        self._at = capability.at + MsixControl.OFFSET
        self.count = (self.control & MsixControl.SIZE_MASK) + 1
        table, pending = (table_place(capability, field) for field in (MsixControl.TABLE, MsixControl.PBA))
        self._table = _window(bar, *table, MsixEntry.SIZE * self.count, recorder, "msix-table")
        self._pending = _window(bar, *pending, 8 * -(-self.count // 64), recorder, "msix-pending")

    @classmethod
    def of(
        cls,
        config: Region,
        bar: Callable[[int], Region],
        capabilities: list[Capability],
        recorder: Recorder | None = None,
    ) -> VectorTable | None:
        """That of a function with this configuration space and these BARs; None where it has no MSI-X."""
        for capability in capabilities:
            if capability.id == CapabilityId.MSIX:
                return cls(config, bar, capability, recorder)
        return None

    @property
    def control(self) -> int:
        """Message control."""
        return self._config.u16[self._at // 2]

    @control.setter
    def control(self, value: int) -> None:
        self._config.u16[self._at // 2] = value

    def switch(self, enabled: bool, masked: bool = False) -> None:
        """MSI-X on or off, and whether all vectors are masked; the other bits stay."""
        own = MsixControl.ENABLE | MsixControl.FUNCTION_MASK
        wanted = (MsixControl.ENABLE if enabled else 0) | (MsixControl.FUNCTION_MASK if masked else 0)
        self.control = self.control & ~own | wanted

    def vector(self, number: int) -> Vector:
        """One entry."""
        low, high, data, control = (self._table.u32[4 * number + word] for word in range(4))
        return Vector(low | high << 32, data, control)

    def put(self, number: int, vector: Vector) -> None:
        """Write one entry, which is masked meanwhile: a device must not use one that is half written."""
        at, table = 4 * number, self._table.u32
        table[at + 3] = vector.control | MsixEntry.MASKED
        table[at], table[at + 1], table[at + 2] = vector.address & 0xFFFF_FFFF, vector.address >> 32, vector.data
        if not vector.masked:
            table[at + 3] = vector.control

    def mask(self, number: int, masked: bool) -> None:
        """Mask one vector, or let its messages through."""
        at = 4 * number + 3
        control = self._table.u32[at]
        self._table.u32[at] = control | MsixEntry.MASKED if masked else control & ~MsixEntry.MASKED

    def pending(self) -> list[int]:
        """The vectors whose pending bit is set. All-ones is a device that does not answer, and counts as none."""
        found = []
        for word in range(-(-self.count // 32)):
            bits = self._pending.u32[word]
            if bits not in (0, 0xFFFF_FFFF) or (bits and self.count >= 32 * (word + 1)):
                found += [32 * word + bit for bit in range(32) if bits >> bit & 1 and 32 * word + bit < self.count]
        return found


def _window(
    bar: Callable[[int], Region], number: int, offset: int, length: int, recorder: Recorder | None, space: str
) -> Region:
    try:
        region = bar(number).window(offset, length)
    except DeviceMisbehaved as error:
        raise DeviceMisbehaved(f"{space} at {offset:#x} of BAR {number}: {error}") from error
    return recorder.region(region, space) if recorder is not None else region
