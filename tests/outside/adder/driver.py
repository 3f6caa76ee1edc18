"""The driver: which features and queues it wants, and what can be done with the device."""

from __future__ import annotations

from typing import ClassVar

from uvirtio.device import Device
from uvirtio.spec.features import Features
from uvirtio_drivers.workload import WritableField

from .spec import CARRY, NUMBER

ADDITIONS = 0


class Adder:
    """Two numbers of 32 bits in, their sum out."""

    TYPE: ClassVar[int] = NUMBER
    FEATURES: ClassVar[Features] = Features.of(CARRY)
    DEPENDENCIES: ClassVar[dict[int, tuple[int, ...]]] = {}
    WRITABLE: ClassVar[WritableField | None] = None

    def __init__(self, device: Device) -> None:
        self.device = device

    @classmethod
    def queues(cls, device: Device) -> dict[int, int | None]:
        """The one queue."""
        return {ADDITIONS: 32}

    def start(self) -> None:
        """Nothing to do."""

    @property
    def modulus(self) -> int:
        """Where the device starts anew."""
        accepted = self.device.negotiated.accepted if self.device.negotiated else Features()
        return self.device.configuration.read(0, 4) if CARRY in accepted else 1 << 32
