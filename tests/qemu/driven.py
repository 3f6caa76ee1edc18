"""A device of any type, opened through a locator and brought to life with its driver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from uvirtio.bus.opening import open_function
from uvirtio.device import Device
from uvirtio.spec.ids import DeviceType
from uvirtio_drivers import find_driver, workload_of
from uvirtio_drivers.workload import drain

__all__ = ["driven", "work"]


@contextmanager
def driven(locator: str, timeout: float = 20.0) -> Iterator[Any]:
    """The started driver of the device that a locator names."""
    with Device(open_function(locator), timeout=timeout) as device:
        driver_class = find_driver(DeviceType(device.identity.type))
        device.begin()
        device.negotiate(driver_class.FEATURES, dependencies=driver_class.DEPENDENCIES)
        for index, limit in driver_class.queues(device).items():
            device.set_up_queue(index, limit)
        device.driver_ok()
        driver = driver_class(device)
        driver.start()
        yield driver


def work(driver: Any, least: int) -> str:
    """At least this many requests of the type's workload, verified; what that proves."""
    workload = workload_of(driver)
    while workload.completed < least:
        assert workload.submit() > 0
        workload.kick()
        drain(driver.device, workload)
    workload.verify()
    assert workload.submitted == workload.completed >= least
    proves: str = workload.proves()
    return proves
