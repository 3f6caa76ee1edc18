"""The entropy device (virtio 1.4, 5.4), with bytes from a seeded generator so that a run can be repeated."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import ClassVar

from ..spec.ids import DeviceType
from .model import DeviceModel
from .parameters import number
from .queue import DeviceQueue
from .ring import Chain

__all__ = ["Rng"]

#: The most bytes that one request gets.
_LIMIT = 1 << 16


class Rng(DeviceModel):
    """One queue of device-writable buffers; each is filled with random bytes."""

    TYPE = DeviceType.RNG
    STATE = ("config", "_random")
    PARAMETERS: ClassVar[Mapping[str, str]] = {"seed": "start of the random sequence (default 0)"}

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._random = random.Random(seed)

    @classmethod
    def check(cls, parameters: Mapping[str, str]) -> None:
        """See :class:`DeviceModel`."""
        cls.make(parameters)

    @classmethod
    def make(cls, parameters: Mapping[str, str]) -> Rng:
        """See :class:`DeviceModel`."""
        return cls(number(parameters, "seed", 0, -(1 << 63), 1 << 63))

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        """See :class:`DeviceModel`: the length is what was filled, at least one byte where there is room (5.4.6)."""
        return chain.write(self._random.randbytes(min(chain.writable_size, _LIMIT)))
