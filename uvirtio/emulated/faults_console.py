"""Faults of CON statements: console devices (5.3)."""

from __future__ import annotations

from typing import cast

from ..spec.devices import Field
from ..spec.status import Status
from .console import Console
from .device import VirtioDevice

__all__ = ["FAULTS"]


class CON1(Console):
    """Is not to be spoken to before it runs."""

    def config_written(self, field: Field) -> None:
        """See :class:`Console`."""
        device = cast("VirtioDevice", self.device)
        if device.status & Status.DRIVER_OK:
            super().config_written(field)
        else:
            device.behaviour.fail("emerg_wr before DRIVER_OK")


#: Name -> what it changes.
FAULTS: dict[str, tuple[type, ...]] = {"CON1": (CON1,)}
