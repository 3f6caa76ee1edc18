"""The device types that can be emulated, by the name that locators use."""

from __future__ import annotations

from ..errors import LocatorError
from ..plugins import plugin, plugins
from ..spec.devices import TYPES as SPECIFIED
from ..spec.devices import device_spec
from ..spec.ids import DeviceType, type_name
from .balloon import Balloon
from .blk import Blk
from .console import Console
from .described import described
from .input import Input
from .model import DeviceModel
from .net import Net
from .rng import Rng

__all__ = ["DESCRIBED", "MODELLED", "TYPES", "find_model"]

_GROUP = "uvirtio.models"

#: Those that do what the type is for.
MODELLED: dict[str, type[DeviceModel]] = {
    "rng": Rng,
    "blk": Blk,
    "net": Net,
    "console": Console,
    "balloon": Balloon,
    "input": Input,
}
#: The others that the specification has a section about; see :mod:`uvirtio.emulated.described`.
DESCRIBED: dict[str, type[DeviceModel]] = {
    type_name(number): described(DeviceType(number))
    for number in SPECIFIED
    if device_spec(number).section and type_name(number) not in MODELLED
}
TYPES: dict[str, type[DeviceModel]] = MODELLED | DESCRIBED


def find_model(name: str) -> type[DeviceModel]:
    """The model of a type by its name; other people's where it is not built in. Raises :class:`LocatorError`."""
    if name in TYPES:
        return TYPES[name]
    model: type[DeviceModel] | None = plugin(_GROUP, name)
    if model is None:
        there = ", ".join(sorted({*TYPES, *plugins(_GROUP)}))
        raise LocatorError(f"no emulated device type {name!r}; there are {there}")
    return model
