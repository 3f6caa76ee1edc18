"""The emulated device: what ``emulated:adder`` and ``uvirtio serve adder`` do. It shares nothing with the driver but the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from uvirtio.emulated.model import DeviceModel
from uvirtio.emulated.parameters import number
from uvirtio.emulated.queue import DeviceQueue
from uvirtio.emulated.ring import Chain

from .spec import CARRY, NUMBER


class AdderModel(DeviceModel):
    """Adds two numbers."""

    TYPE = NUMBER
    PARAMETERS: ClassVar[Mapping[str, str]] = {"modulus": "where it starts anew (default 1000)"}
    features = (CARRY,)

    def __init__(self, modulus: int = 1000) -> None:
        super().__init__()
        self.put("modulus", modulus)

    @classmethod
    def check(cls, parameters: Mapping[str, str]) -> None:
        """See :class:`DeviceModel`."""
        cls.make(parameters)

    @classmethod
    def make(cls, parameters: Mapping[str, str]) -> AdderModel:
        """See :class:`DeviceModel`."""
        return cls(number(parameters, "modulus", 1000, 1, (1 << 32) - 1))

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        """One addition."""
        question = chain.read()
        left, right = (int.from_bytes(question[at : at + 4], "little") for at in (0, 4))
        return chain.write(((left + right) % self.get("modulus")).to_bytes(4, "little"))
