"""The kernel's side of VFIO as system calls, in one small class: what stands in for it in tests answers the same calls."""

from __future__ import annotations

import fcntl
import mmap
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["Kernel", "address_of", "map_anonymous"]

_MADV_HUGEPAGE = 14


class Kernel:
    """System calls. Each raises :class:`OSError`."""

    def open(self, path: Path) -> int:
        """Open a device file for reading and writing."""
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def ioctl(self, handle: int, request: int, argument: bytearray | int = 0) -> int:
        """One request; a bytearray is what the kernel reads and answers into."""
        return fcntl.ioctl(handle, request, argument)

    def map(self, handle: int, length: int, offset: int) -> mmap.mmap:
        """Map a part of a device file."""
        return mmap.mmap(handle, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)

    def close(self, handle: int) -> None:
        """Close a device file."""
        os.close(handle)


def map_anonymous(size: int) -> mmap.mmap:
    """Memory of this process alone, in huge pages where the kernel has such at hand: fewer entries for an IOMMU."""
    mapping = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ | mmap.PROT_WRITE)
    # A child of this process must neither share these pages nor copy them.
    mapping.madvise(mmap.MADV_DONTFORK)
    with suppress(OSError):  # a kernel without them
        mapping.madvise(_MADV_HUGEPAGE)
    return mapping


def address_of(memory: mmap.mmap) -> int:
    """The address of mapped memory in this process."""
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(memory))
