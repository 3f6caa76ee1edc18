"""An interrupt that arrives through an eventfd: INTx, or one MSI-X vector."""

from __future__ import annotations

import math
import os
import select
from collections.abc import Callable

__all__ = ["EventLine", "sleep_on"]

_EVENT = 8


def sleep_on(seconds: float, descriptor: int) -> None:
    """Sleep until ``descriptor`` can be read or the time is over."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    # Rounded up, so that a wait is not over before its time.
    poller.poll(max(0, math.ceil(seconds * 1000)))


class EventLine:
    """An :class:`~uvirtio.access.interrupt.InterruptLine` on an eventfd of its own, ``descriptor``.

    What is masked by its delivery (VFIO does that with INTx) is let through again by ``unmask``, in :meth:`enable`; None
    where nothing is.
    """

    present = True

    def __init__(
        self,
        description: str,
        unmask: Callable[[], None] | None = None,
        sleep: Callable[[float, int], None] = sleep_on,
        check: Callable[[], None] | None = None,
    ) -> None:
        """``sleep``: until a descriptor can be read, for so many seconds at most. ``check`` raises when the device is gone."""
        self.description = description
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._unmask = unmask
        self._sleep = sleep
        self._check = check
        self._delivered = 0
        self._seen = 0
        self._masked = False

    def enable(self) -> None:
        """Unmask after a delivery that a wait has told of; it is signalled again if its level is still up."""
        if self._masked and self._unmask is not None and self._delivered == self._seen:
            self._masked = False
            self._unmask()

    def wait(self, seconds: float) -> bool:
        """Sleep until a delivery that no wait has told of yet, or until the time is over."""
        if self.count() == self._seen:
            self._sleep(seconds, self.descriptor)
        arrived = self.count() != self._seen
        self._seen = self._delivered
        return arrived

    def count(self) -> int:
        """Deliveries so far."""
        if self._check is not None:
            self._check()
        try:
            self._delivered += int.from_bytes(os.read(self.descriptor, _EVENT), "little")
        except BlockingIOError:
            return self._delivered
        self._masked = True
        return self._delivered

    def close(self) -> None:
        """Close the eventfd."""
        os.close(self.descriptor)
