"""Faults of RNG statements: entropy devices (5.4)."""

from __future__ import annotations

from .queue import DeviceQueue
from .ring import Chain
from .rng import Rng

__all__ = ["FAULTS"]


class RNG1(Rng):
    """Gives every fourth buffer back empty."""

    _count = 0

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        """See :class:`Rng`."""
        self._count += 1
        return super().request(queue, chain) if self._count % 4 else 0


#: Name -> what it changes.
FAULTS: dict[str, tuple[type, ...]] = {"RNG1": (RNG1,)}
