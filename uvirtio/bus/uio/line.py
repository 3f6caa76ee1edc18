"""INTx through ``/dev/uioN``.

The kernel's handler sets Interrupt Disable in the command register and counts; the driver clears that bit again
before it waits. A read of the file gives the total count, which other openers before us have raised already.
"""

from __future__ import annotations

import math
import os
import select

from ...access.view import Region
from ...errors import DeviceGone
from ...spec.pci import Command, Header

__all__ = ["UioLine"]

_COMMAND = Header.COMMAND // 2


class UioLine:
    """An :class:`~uvirtio.access.interrupt.InterruptLine` on an open ``/dev/uioN`` (which it does not own)."""

    present = True

    def __init__(self, handle: int, name: str, config: Region, total: int) -> None:
        """``total``: the count that the kernel shows now (sysfs ``event``), from which ours starts."""
        self.description = f"INTx through /dev/{name}"
        self._name = name
        self._handle = handle
        self._config = config
        self._first = self._last = total
        self._poll = select.poll()
        self._poll.register(handle, select.POLLIN)

    def enable(self) -> None:
        """Clear Interrupt Disable, if it is set."""
        command = self._config.u16[_COMMAND]
        if command != 0xFFFF and command & Command.INTX_DISABLE:
            self._config.u16[_COMMAND] = command & ~Command.INTX_DISABLE

    def wait(self, seconds: float) -> bool:
        """Sleep until the kernel counted an interrupt or the time is over. Raises :class:`DeviceGone`."""
        ready = self._poll.poll(max(0, math.ceil(seconds * 1000)))
        return self._read() if ready else False

    def count(self) -> int:
        """Interrupts since the line was opened."""
        if self._poll.poll(0):
            self._read()
        return (self._last - self._first) & 0xFFFF_FFFF

    def _read(self) -> bool:
        try:
            data = os.read(self._handle, 4)
        except OSError as error:
            raise DeviceGone(
                f"/dev/{self._name} does not answer any more ({error.strerror}): the device was removed"
            ) from error
        before, self._last = self._last, int.from_bytes(data, "little")
        return self._last != before
