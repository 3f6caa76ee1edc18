"""The kernel asks for a device back: it is being unplugged, or somebody unbinds it. Until it is closed, that waits."""

from __future__ import annotations

import math
import os
import select

from ...errors import DeviceGone
from .descriptor import VfioDevice
from .ioctls import IrqIndex

__all__ = ["AskedBack"]


class AskedBack:
    """An eventfd that the kernel signals then. Where it has no such interrupt, nothing is ever asked."""

    def __init__(self, device: VfioDevice, bdf: str) -> None:
        self._bdf = bdf
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        if device.interrupts(IrqIndex.REQUEST)[0]:
            device.set_events(IrqIndex.REQUEST, (self.descriptor,))

    def check(self) -> None:
        """Raise :class:`DeviceGone` when the device was asked for."""
        try:
            os.read(self.descriptor, 8)
        except BlockingIOError:
            return
        os.eventfd_write(self.descriptor, 1)  # it stays so
        raise DeviceGone(f"the kernel asks for {self._bdf} back: it is being removed, or taken from vfio-pci")

    def sleep(self, seconds: float, descriptor: int) -> None:
        """Sleep until ``descriptor`` can be read, the device is asked for, or the time is over."""
        poller = select.poll()
        for each in (descriptor, self.descriptor):
            poller.register(each, select.POLLIN)
        # Rounded up, so that a wait is not over before its time.
        poller.poll(max(0, math.ceil(seconds * 1000)))
        self.check()

    def close(self) -> None:
        """Close the eventfd."""
        os.close(self.descriptor)
