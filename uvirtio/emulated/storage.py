"""What an emulated disk is kept in: memory, or a file."""

from __future__ import annotations

import os
import stat
from typing import Protocol

from ..errors import CannotRun

__all__ = ["FileStorage", "MemoryStorage", "Storage"]


#: Bytes of memory that a disk may grow to.
_LARGEST = 1 << 30


class Storage(Protocol):
    """Bytes by offset. Callers keep inside ``size``."""

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """A copy of the bytes."""

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes there."""

    def flush(self) -> None:
        """Make what was written durable."""

    def resize(self, size: int) -> None:
        """Grow (with zeros) or shrink. Raises :class:`CannotRun`, and nothing has changed then."""

    def close(self) -> None:
        """Let go of it."""


class MemoryStorage:
    """Gone when the device is. It grows to 1 GiB, or stays as large as it was made."""

    STATE = ("size", "_bytes")

    def __init__(self, size: int) -> None:
        self.size = size
        self._most = max(size, _LARGEST)
        self._bytes = bytearray(size)

    def read(self, offset: int, length: int) -> bytes:
        """See :class:`Storage`."""
        return bytes(self._bytes[offset : offset + length])

    def write(self, offset: int, data: bytes) -> None:
        """See :class:`Storage`."""
        self._bytes[offset : offset + len(data)] = data

    def flush(self) -> None:
        """See :class:`Storage`."""

    def resize(self, size: int) -> None:
        """See :class:`Storage`."""
        if size > self._most:
            raise CannotRun(f"a disk in memory grows to {self._most} bytes, not to {size}; use image=FILE for more")
        del self._bytes[size:]
        self._bytes += bytes(size - len(self._bytes))
        self.size = size

    def close(self) -> None:
        """See :class:`Storage`."""
        self._bytes = bytearray()


class FileStorage:
    """A raw image file, whose length is rounded down to whole sectors. Raises :class:`CannotRun`."""

    #: Its contents stay where they are.
    STATE = ("size",)

    def __init__(self, path: str, *, writable: bool, sector: int) -> None:
        try:
            # Without waiting: opening a pipe does, until there is somebody at its other end.
            self._fd = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise CannotRun(f"cannot open the image {path}: {error.strerror}; name a readable file") from error
        self._path = path
        kind = os.fstat(self._fd).st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISBLK(kind):
            os.close(self._fd)
            raise CannotRun(f"the image {path} is neither a file nor a disk; name one")
        self.size = os.lseek(self._fd, 0, os.SEEK_END) // sector * sector
        if not self.size:
            os.close(self._fd)
            raise CannotRun(f"the image {path} is shorter than a sector; `truncate -s 16M {path}` makes one")

    def read(self, offset: int, length: int) -> bytes:
        """See :class:`Storage`: a hole at the end (the file was truncated under us) reads as zeros."""
        return os.pread(self._fd, length, offset).ljust(length, b"\0")

    def write(self, offset: int, data: bytes) -> None:
        """See :class:`Storage`."""
        while data:
            written = os.pwrite(self._fd, data, offset)
            data, offset = data[written:], offset + written

    def flush(self) -> None:
        """See :class:`Storage`."""
        os.fdatasync(self._fd)

    def resize(self, size: int) -> None:
        """See :class:`Storage`: the file itself is made longer, and never shorter."""
        if size > os.fstat(self._fd).st_size:
            try:
                os.ftruncate(self._fd, size)
            except OSError as error:
                raise CannotRun(f"cannot resize the image {self._path}: {error.strerror}") from error
        self.size = size

    def close(self) -> None:
        """See :class:`Storage`."""
        os.close(self._fd)
