"""The device types that can be emulated, by the name that locators use."""

from __future__ import annotations

from importlib import import_module

from ..errors import LocatorError
from ..plugins import plugin, plugins
from ..spec.devices import TYPES as SPECIFIED
from ..spec.devices import device_spec
from ..spec.ids import DeviceType, type_name
from .described import described
from .model import DeviceModel

__all__ = ["DESCRIBED", "MODELLED", "MODELS", "find_model"]

_GROUP = "uvirtio.models"

#: Those that do what the type is for, each in a module of its name, which is imported once one is made.
MODELLED = ("rng", "blk", "net", "console", "balloon", "input")
_NUMBERS = {
    type_name(number): DeviceType(number)
    for number in SPECIFIED
    if device_spec(number).section and type_name(number) not in MODELLED
}
#: The others that the specification has a section about; see :mod:`uvirtio.emulated.described`.
DESCRIBED = tuple(_NUMBERS)
#: The models that are there so far.
MODELS: dict[str, type[DeviceModel]] = {}


def find_model(name: str) -> type[DeviceModel]:
    """The model of a type by its name; other people's where it is not built in. Raises :class:`LocatorError`."""
    model = MODELS.get(name)
    if model is None:
        model = MODELS[name] = _find(name)
    return model


def _find(name: str) -> type[DeviceModel]:
    if name in MODELLED:
        built_in: type[DeviceModel] = getattr(import_module(f".{name}", __package__), name.capitalize())
        return built_in
    if name in DESCRIBED:
        return described(_NUMBERS[name])
    others: type[DeviceModel] | None = plugin(_GROUP, name)
    if others is None:
        there = ", ".join(sorted({*MODELLED, *DESCRIBED, *plugins(_GROUP)}))
        raise LocatorError(f"no emulated device type {name!r}; there are {there}")
    return others
