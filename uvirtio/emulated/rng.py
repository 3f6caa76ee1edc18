"""The entropy device (virtio 1.4, 5.4), with bytes from a seeded generator so that a run can be repeated."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import ClassVar

from ..errors import LocatorError
from ..spec.ids import DeviceType
from .model import DeviceModel
from .queue import DeviceQueue
from .ring import Chain

__all__ = ["Rng"]

#: The most bytes that one request gets.
_LIMIT = 1 << 16


class Rng(DeviceModel):
    """One queue of device-writable buffers; each is filled with random bytes."""

    TYPE = DeviceType.RNG
    queues = ("requestq",)
    PARAMETERS: ClassVar[Mapping[str, str]] = {"seed": "start of the random sequence (default 0)"}

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._random = random.Random(seed)

    @classmethod
    def check(cls, parameters: Mapping[str, str]) -> None:
        """See :class:`DeviceModel`."""
        _seed(parameters)

    @classmethod
    def make(cls, parameters: Mapping[str, str]) -> Rng:
        """See :class:`DeviceModel`."""
        return cls(_seed(parameters))

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        """See :class:`DeviceModel`: the length is what was filled, at least one byte where there is room (5.4.6)."""
        return chain.write(self._random.randbytes(min(chain.writable_size, _LIMIT)))

    def triggers(self) -> Mapping[str, Callable[..., object]]:
        """See :class:`DeviceModel`: an entropy device has nothing to be triggered."""
        return {}


def _seed(parameters: Mapping[str, str]) -> int:
    text = parameters.get("seed", "0")
    try:
        return int(text, 0)
    except ValueError:
        raise LocatorError(f"seed={text} is no whole number") from None
