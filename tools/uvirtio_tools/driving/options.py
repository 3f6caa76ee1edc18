"""Whether a device has a workload, and what that is told by options of the command line."""

from __future__ import annotations

from uvirtio.device import Device
from uvirtio.errors import UsageError
from uvirtio_drivers import find_driver, find_workload
from uvirtio_drivers.workload import Driver

__all__ = ["find_working_driver", "workload_options"]

#: What devices each option is for.
_TYPES = {"scratch": "block devices", "peer": "network and console devices", "pairs": "network devices"}


def find_working_driver(device_type: int) -> type[Driver]:
    """The driver class for a device type that has a workload, too. Raises :class:`CannotRun` where one is missing."""
    driver_class = find_driver(device_type)
    find_workload(device_type)
    return driver_class


def workload_options(driver_class: type[Driver] | None, device: Device, **given: object) -> dict[str, object]:
    """What the driver's workload is told. Raises :class:`UsageError` for an option that its type does not have."""
    options = {name: value for name, value in given.items() if value is not None}
    for name in options:
        if driver_class is None or name not in find_workload(driver_class.TYPE).OPTIONS:
            why = (
                "there is no workload"
                if driver_class is None
                else f"this device is of type {device.identity.type_name}"
            )
            raise UsageError(f"--{name} is for the workloads of {_TYPES[name]}, but {why}")
    return options
