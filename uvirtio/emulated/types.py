"""The device types that can be emulated, by the name that locators use."""

from __future__ import annotations

from .model import DeviceModel
from .rng import Rng

__all__ = ["TYPES"]

TYPES: dict[str, type[DeviceModel]] = {"rng": Rng}
