"""Drivers and their workloads, one file each for a device type, standing on :mod:`uvirtio` only.

The built-in ones are found by name; the entry-point groups ``uvirtio.drivers`` and ``uvirtio.workloads`` (name: the
device type's short name, object: the class) add other people's, and are only read when no built-in one fits.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from uvirtio.errors import CannotRun
from uvirtio.plugins import plugin
from uvirtio.spec.ids import DeviceType, type_name

if TYPE_CHECKING:
    from .workload import Driver, Workload

__all__ = ["BUILT_IN", "find_driver", "find_workload", "workload_of"]

#: Device type -> module and class of the built-in driver. The workload of ``Net`` in ``net`` is ``NetWorkload`` in
#: ``net_workload``, and so on.
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
    driver: type[Driver] = _find("driver", device_type)
    return driver


def find_workload(device_type: int) -> type[Workload]:
    """The workload class for a device type. Raises :class:`CannotRun` when there is none."""
    workload: type[Workload] = _find("workload", device_type, "_workload", "Workload")
    return workload


def workload_of(driver: Driver, **options: object) -> Workload:
    """A fresh workload on a started driver; ``options``: some of those that its class knows (``OPTIONS``).

    Raises :class:`CannotRun` when there is none for the type, and what
    :meth:`~uvirtio_drivers.workload.Workload.of` raises.
    """
    return find_workload(driver.TYPE).of(driver, **options)


def _find(what: str, device_type: int, in_module: str = "", in_class: str = "") -> Any:
    """The class for a device type: a built-in one, whose names end in these, or other people's."""
    if device_type in BUILT_IN:
        module, name = BUILT_IN[device_type]
        return getattr(import_module(f"{__name__}.{module}{in_module}"), name + in_class)
    group = f"uvirtio.{what}s"
    if (found := plugin(group, type_name(device_type))) is not None:
        return found
    known = ", ".join(sorted(type_name(number) for number in BUILT_IN))
    raise CannotRun(
        f"no {what} for device type {device_type} ({type_name(device_type)}); built in are {known}, "
        f"others come through the entry-point group {group}"
    )
