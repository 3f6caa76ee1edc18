"""Memory fences between the driver and a device that runs on another CPU (virtio 1.4, 2.7.13.3).

x86 keeps stores in order and loads in order, so only one place needs a fence: between the store of the available
index and the load of the suppression field. Acquiring and releasing a lock is a locked instruction there, a full
fence, and cheaper than a call through ctypes.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from threading import Lock

from ..errors import CannotRun

__all__ = ["store_load_fence", "unfit_cpu"]

_KNOWN = ("x86_64", "AMD64", "i686", "i386")


def unfit_cpu() -> str:
    """Why no device can be driven on this machine's CPU; empty where it can."""
    machine = platform.machine()
    if machine in _KNOWN:
        return ""
    return f"no memory fence is known for {machine}: rings would race with the device; uvirtio drives devices on x86"


def store_load_fence() -> Callable[[], object]:
    """A function that keeps earlier stores before later loads. Raises :class:`CannotRun` on a CPU without one here."""
    if why := unfit_cpu():
        raise CannotRun(why)
    lock = Lock()
    acquire, release = lock.acquire, lock.release

    def fence() -> None:
        acquire()
        release()

    return fence
