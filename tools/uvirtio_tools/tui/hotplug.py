"""PCI functions that come and go, as udev tells it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["follow"]


def follow(notify: Callable[[], None]) -> Callable[[], None]:
    """Call ``notify`` (in a thread of its own) when a PCI function appears, vanishes or changes its driver.

    Returns what ends it. Where udev cannot be had nothing is called, and polling has to do.
    """
    try:
        import pyudev

        monitor = pyudev.Monitor.from_netlink(pyudev.Context())
        monitor.filter_by("pci")

        def seen(_device: Any) -> None:
            notify()

        observer = pyudev.MonitorObserver(monitor, callback=seen, name="uvirtio-hotplug")
        observer.start()
    except (ImportError, OSError):
        return lambda: None

    def end() -> None:
        observer.send_stop()

    return end
