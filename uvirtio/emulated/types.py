"""The device types that can be emulated, by the name that locators use."""

from __future__ import annotations

from .balloon import Balloon
from .blk import Blk
from .console import Console
from .input import Input
from .model import DeviceModel
from .net import Net
from .rng import Rng

__all__ = ["TYPES"]

TYPES: dict[str, type[DeviceModel]] = {
    "rng": Rng,
    "blk": Blk,
    "net": Net,
    "console": Console,
    "balloon": Balloon,
    "input": Input,
}
