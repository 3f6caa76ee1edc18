"""Lines into a descriptor whose reader is not waited for: a pipe that is full, a disk that is, a terminal that is gone."""

from __future__ import annotations

import os
import select

__all__ = ["Outlet"]

#: What fits a pipe that has room at all (PIPE_BUF): a longer line goes in parts.
_PART = 4096


class Outlet:
    """Writes whole lines, or leaves them out and counts them in ``lost``. The descriptor stays its owner's."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        #: The rest of a line that was begun.
        self._rest = b""
        self.lost = 0

    def line(self, text: str) -> None:
        """Write a line, if that can be done at once."""
        if not self._flush():
            self.lost += 1
            return
        self._rest = text.encode(errors="backslashreplace") + b"\n"
        self._flush()

    def _flush(self) -> bool:
        try:
            while self._rest and self._poll.poll(0):
                self._rest = self._rest[os.write(self._descriptor, self._rest[:_PART]) :]
        except OSError:
            return False
        return not self._rest
