"""Memory that another process gets a descriptor of: sealed, so that it cannot be taken away under whoever has mapped it.

A file that is made shorter is SIGBUS for whoever touches what is gone, and Python dies of it without a word.
"""

from __future__ import annotations

import fcntl
import mmap
import os

__all__ = ["is_sealed", "sealed_file"]


def sealed_file(name: str, size: int) -> int:
    """A descriptor of ``size`` zeroed bytes that nobody can make shorter or longer. Raises OSError."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_sealed(descriptor: int) -> bool:
    """Whether nobody can take memory away from under who maps a file: not of one that knows no seals.

    Nor of one of huge pages: a hole can be punched in spite of the seal, and the pool may have no page to fill it with.
    """
    try:
        huge = os.fstatvfs(descriptor).f_bsize > mmap.PAGESIZE
        return not huge and bool(fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK)
    except OSError:
        return False
