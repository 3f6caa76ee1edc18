"""Interrupts of a served device: eventfds that the client handed over.

INTx is a level, but an eventfd carries edges. QEMU masks the interrupt when it takes an edge and unmasks it after the
guest touched a BAR; the server owns the level and signals again if it is still up. When the level falls before QEMU
took the edge, the edge is taken back, and no unmask will come for it. Without both, a storm or a dead line follows.
"""

from __future__ import annotations

import errno
import os

__all__ = ["IntxLine", "Vectors", "checked_eventfd", "signal_eventfd"]


def checked_eventfd(fd: int) -> int:
    """The descriptor, when it is an eventfd, which never holds up who reads or writes it; OSError when it is not.

    A file could: one on a file system that its client serves, for instance.
    """
    if os.readlink(f"/proc/self/fd/{fd}") != "anon_inode:[eventfd]":
        raise OSError(errno.EINVAL, "a descriptor for interrupts that is no eventfd")
    os.set_blocking(fd, False)
    return fd


def signal_eventfd(fd: int) -> bool:
    """Add one to an eventfd; a counter that is full already is signalled enough. False when it takes nothing."""
    try:
        # The client has the same open file, and may have changed its mind.
        os.set_blocking(fd, False)
        os.write(fd, (1).to_bytes(8, "little"))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


class IntxLine:
    """The level of INTx, told to the client as edges."""

    def __init__(self) -> None:
        self.asserted = False
        self.masked = False
        self.fd: int | None = None
        self.signals = 0

    def install(self, fd: int | None) -> None:
        """Take a new eventfd (None: none any more)."""
        old, self.fd = self.fd, fd
        if old is not None:
            os.close(old)
        self.masked = False
        self._signal()

    def level(self, asserted: bool) -> None:
        """The device (or its interrupt disable bit) changed the level."""
        if asserted == self.asserted:
            return
        self.asserted = asserted
        if asserted:
            self._signal()
        elif self.masked and self._take_back():
            self.masked = False

    def _signal(self) -> None:
        if self.asserted and not self.masked and self.fd is not None:
            self.masked = True
            self.signals += 1
            if not signal_eventfd(self.fd):
                self.install(None)

    def _take_back(self) -> bool:
        """Whether the last edge had not been noticed yet; it is gone then."""
        if self.fd is None:
            return False
        try:
            os.set_blocking(self.fd, False)
            os.read(self.fd, 8)
        except OSError:
            return False
        return True

    def mask(self) -> None:
        """The client wants no interrupt until it unmasks."""
        self.masked = True

    def unmask(self) -> None:
        """The client has dealt with the last one; a level that is still up is signalled again."""
        self.masked = False
        self._signal()

    def close(self) -> None:
        """Give the descriptor back."""
        self.install(None)


class Vectors:
    """MSI-X: one eventfd per vector."""

    def __init__(self, count: int) -> None:
        self.fds: list[int | None] = [None] * count
        self.signals = 0

    def install(self, vector: int, fd: int | None) -> None:
        """Take a new eventfd for a vector (None: none any more)."""
        old, self.fds[vector] = self.fds[vector], fd
        if old is not None:
            os.close(old)

    def send(self, vector: int) -> bool:
        """Signal a vector; whether a client listens to it: a message to nowhere is lost."""
        fd = self.fds[vector] if vector < len(self.fds) else None
        if fd is None:
            return False
        self.signals += 1
        if not signal_eventfd(fd):
            self.install(vector, None)
            return False
        return True

    def close(self) -> None:
        """Give all descriptors back."""
        for vector in range(len(self.fds)):
            self.install(vector, None)
