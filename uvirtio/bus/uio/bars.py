"""The base address registers of a function through sysfs ``resourceN``: memory is mapped, I/O ports are called."""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable

from ...access.view import Region, View
from ...errors import CannotRun, DeviceMisbehaved, PrivilegeMissing
from .discovery import bars_of
from .sysfs import Sysfs, explain

__all__ = ["OpenBar", "mapped_bar", "open_bar", "port_region"]


class OpenBar:
    """An open BAR: its ``region``, and :meth:`close`, after which every view of it raises ValueError."""

    def __init__(self, region: Region, close: Callable[[], None]) -> None:
        self.region = region
        self._close: Callable[[], None] | None = close

    def close(self) -> None:
        """Release every view and unmap; idempotent."""
        if self._close is not None:
            close, self._close = self._close, None
            close()


def open_bar(sysfs: Sysfs, bdf: str, number: int) -> OpenBar:
    """Open a BAR. Raises :class:`DeviceMisbehaved` where there is none, :class:`CannotRun` where it cannot be reached."""
    bars = {bar.number: bar for bar in bars_of(sysfs, bdf)}
    if number not in bars:
        there = ", ".join(map(str, bars)) or "none"
        raise DeviceMisbehaved(f"{bdf}: BAR {number} was asked for, but the function has {there}")
    path = str(sysfs.function(bdf) / f"resource{number}")
    if bars[number].io:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise explain(error, f"opening I/O BAR {number} of {bdf}") from error
        return OpenBar(port_region(handle, bars[number].size), lambda: os.close(handle))
    return _map(path, bdf, number, bars[number].size)


def _map(path: str, bdf: str, number: int, size: int) -> OpenBar:
    from periphery import MMIO
    from periphery.mmio import MMIOError

    try:
        mmio = MMIO(0, size, path=path)
    except MMIOError as error:
        if error.errno == errno.EINVAL:
            raise CannotRun(
                f"BAR {number} of {bdf} cannot be mapped (EINVAL): the kernel has strict I/O memory and a driver holds the "
                f"device; take it first with `uvirtio bind {bdf}`"
            ) from error
        if error.errno == errno.EPERM:
            raise PrivilegeMissing(
                f"BAR {number} of {bdf} cannot be mapped (EPERM): the kernel is locked down, which Secure Boot turns on; "
                "boot this VM without Secure Boot or with lockdown=none"
            ) from error
        raise explain(error, f"mapping BAR {number} of {bdf}") from error

    return mapped_bar(memoryview(mmio.mapping), mmio.close)  # type: ignore[attr-defined]  # the stubs leave it out


def mapped_bar(memory: memoryview, unmap: Callable[[], None]) -> OpenBar:
    """A BAR that is mapped as ``memory``; ``unmap`` is called when it is closed."""
    # Views outlive the code that asked for them, and an address that is unmapped under a view would be a crash. So all
    # of them are known here and released before the mapping goes: use after close is a ValueError.
    views: list[weakref.ref[memoryview]] = []

    def make(base: int, length: int, width: int) -> View:
        window = memory[base : base + length - length % width]
        view = window if width == 1 else window.cast("H" if width == 2 else "I")
        if width != 1:
            window.release()
        views.append(weakref.ref(view))
        if len(views) > 256:
            views[:] = [known for known in views if known() is not None]
        return view

    def close() -> None:
        for known in views:
            view = known()
            if view is not None:
                view.release()
        memory.release()
        unmap()

    return OpenBar(Region(make, 0, len(memory)), close)


def port_region(handle: int, length: int, start: int = 0) -> Region:
    """Registers behind a file descriptor, from offset ``start`` on: each access one pread or pwrite of exactly its width.

    A device that went away reads all-ones and swallows writes, as the bus does it. Offsets outside raise IndexError.
    """

    def check(offset: int, width: int) -> None:
        if offset < 0 or offset + width > length:
            raise IndexError(f"{width} bytes at {offset:#x} are outside of {length:#x} bytes of registers")

    def read(offset: int, width: int) -> int:
        check(offset, width)
        try:
            data = os.pread(handle, width, start + offset)
        except OSError as error:
            if error.errno not in _GONE:
                raise explain(error, f"reading {width} bytes at {offset:#x}") from error
            data = b""
        return int.from_bytes(data, "little") if len(data) == width else (1 << 8 * width) - 1

    def write(offset: int, width: int, value: int) -> None:
        check(offset, width)
        try:
            os.pwrite(handle, value.to_bytes(width, "little"), start + offset)
        except OSError as error:
            if error.errno not in _GONE:
                raise explain(error, f"writing {width} bytes at {offset:#x}") from error

    return Region.calls(read, write, length)


_GONE = (errno.ENODEV, errno.ENXIO, errno.EIO)
