"""The classes that an emulated device is made of, and how a fault changes one of them.

A fault is a class that derives from the part whose decision it changes, and overrides that. Several are put together by
inheritance, in front of the part that the device would have without them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .behaviour import Behaviour
from .common import CommonConfig
from .device import VirtioDevice
from .interrupts import Interrupts
from .messages import MsixTable
from .model import DeviceModel
from .pci import ConfigSpace
from .queue import DeviceQueue
from .restoring import Restorer
from .ring_packed import PackedRing
from .ring_split import SplitRing

__all__ = ["Parts"]


class Parts(NamedTuple):
    """One class for each part: how it suspends, its type, and what is the same for every type."""

    model: type[DeviceModel]
    behaviour: type[Behaviour]
    device: type[VirtioDevice] = VirtioDevice
    queue: type[DeviceQueue] = DeviceQueue
    split_ring: type[SplitRing] = SplitRing
    packed_ring: type[PackedRing] = PackedRing
    interrupts: type[Interrupts] = Interrupts
    table: type[MsixTable] = MsixTable
    common: type[CommonConfig] = CommonConfig
    space: type[ConfigSpace] = ConfigSpace
    restorer: type[Restorer] = Restorer

    def breaking(self, faults: Iterable[type]) -> Parts:
        """The same with these faults. One of a type's model leaves devices of other types as they are."""
        changed = self
        for fault in faults:
            name = next((name for name in self._fields if self._changes(fault, name)), None)
            if name is not None:
                base: type = getattr(changed, name)
                mixed = type(f"{fault.__name__}{base.__name__}", (fault, base), {"__module__": fault.__module__})
                changed = changed._replace(**{name: mixed})
        return changed

    def _changes(self, fault: type, name: str) -> bool:
        """Whether a fault derives from the same part as the class of that name."""
        if name == "model":
            return any(base in self.model.__mro__ for base in fault.__bases__ if issubclass(base, DeviceModel))
        return issubclass(fault, _BASES[name])


_BASES: dict[str, type] = {
    "behaviour": Behaviour, "device": VirtioDevice, "queue": DeviceQueue, "split_ring": SplitRing,
    "packed_ring": PackedRing, "interrupts": Interrupts, "table": MsixTable, "common": CommonConfig, "space": ConfigSpace,
    "restorer": Restorer,
}  # fmt: skip
