"""One file per device type, standing on :mod:`uvirtio` only.

The built-in drivers are found by name; the entry-point group ``uvirtio.drivers`` (name: the device type's short name,
object: the driver class) adds other people's, and is only read when no built-in one fits.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from uvirtio.errors import CannotRun
from uvirtio.spec.ids import DeviceType, type_name

if TYPE_CHECKING:
    from .workload import Driver

__all__ = ["BUILT_IN", "find_driver"]

#: Device type -> module and class of the built-in driver.
BUILT_IN: dict[int, tuple[str, str]] = {
    DeviceType.BALLOON: ("balloon", "Balloon"),
    DeviceType.BLK: ("blk", "Blk"),
    DeviceType.CONSOLE: ("console", "Console"),
    DeviceType.INPUT: ("input", "Input"),
    DeviceType.NET: ("net", "Net"),
    DeviceType.RNG: ("rng", "Rng"),
}


def find_driver(device_type: int) -> type[Driver]:
    """The driver class for a device type. Raises :class:`CannotRun` when there is none."""
    if device_type in BUILT_IN:
        module, name = BUILT_IN[device_type]
        driver: type[Driver] = getattr(import_module(f"{__name__}.{module}"), name)
        return driver
    from importlib.metadata import entry_points

    for entry in entry_points(group="uvirtio.drivers"):
        if entry.name == type_name(device_type):
            found: type[Driver] = entry.load()
            return found
    known = ", ".join(sorted(type_name(number) for number in BUILT_IN))
    raise CannotRun(
        f"no driver for device type {device_type} ({type_name(device_type)}); built in are {known}, "
        "others come through the entry-point group uvirtio.drivers"
    )
