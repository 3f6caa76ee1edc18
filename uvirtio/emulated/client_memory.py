"""The memory of a vfio-user client: what DMA_MAP gave and DMA_UNMAP has not taken."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Callable

from ..access.sealed import is_sealed
from ..vfio_user import wire
from ..vfio_user.wire import DmaFlag, UnmapFlag
from .client_requests import Refused
from .log import AccessLog
from .memory import MappedMemory

__all__ = ["ClientMemory"]

#: A number: the complement of a flag knows nothing of bits that have no name.
_MAP_FLAGS = int(DmaFlag.READ | DmaFlag.WRITE)
_UNSEALED = (
    "the client can take memory away from under this server, because it is not sealed against shrinking, or of huge pages; "
    "if it does, the server ends (QEMU: memory-backend-memfd seals)"
)


class ClientMemory:
    """Pieces of memory at bus addresses, as the client names them; those that came with a descriptor are in ``memory``.

    ``tell`` gets a sentence for people: for memory that the device cannot reach, unless it was told of a larger piece before, and
    once for memory that the client can make shorter, for which ``unsealed`` is called as well.
    """

    def __init__(
        self, memory: MappedMemory, log: AccessLog, tell: Callable[[str], None], unsealed: Callable[[], None]
    ) -> None:
        self._memory = memory
        self._log = log
        self._tell = tell
        self._unsealed: Callable[[], None] | None = unsealed
        self._told = 0
        self._pieces: dict[int, int] = {}

    def map(self, request: wire.DmaMap, fds: list[int]) -> None:
        """Take a piece. Raises :class:`Refused`."""
        start, end = request.address, request.address + request.size
        where = f"DMA_MAP of {request.size:#x} bytes at {start:#x}"
        if not request.size or end > 1 << 64 or request.flags & ~_MAP_FLAGS or len(fds) > 1:
            raise Refused(errno.EINVAL, f"{where} with flags {request.flags:#x} and {len(fds)} descriptors")
        if any(start < base + size and base < end for base, size in self._pieces.items()):
            raise Refused(errno.EEXIST, f"{where}: there is memory already")
        if len(self._pieces) >= wire.MAX_MAPS:
            raise Refused(errno.ENOSPC, f"{where}: {wire.MAX_MAPS} pieces are mapped already")
        writable = bool(request.flags & DmaFlag.WRITE)
        if fds:
            self._reach(request, fds[0], writable, where)
        else:
            self._log.event("memory out of reach", where)
            if writable and request.size > self._told:  # a screen's memory comes first, and is not what matters
                self._told = request.size
                self._tell(
                    f"the client gave {request.size:#x} bytes at {start:#x} without a descriptor: the device cannot reach "
                    "them (QEMU: share=on, or memory-backend-memfd)"
                )
        self._pieces[start] = request.size

    def _reach(self, request: wire.DmaMap, fd: int, writable: bool, where: str) -> None:
        sealed = is_sealed(fd)  # looked at before the size, which cannot become less from then on
        if os.fstat(fd).st_size < request.offset + request.size:
            raise Refused(errno.EINVAL, f"{where}: the file is shorter")
        if not sealed and self._unsealed is not None:
            self._tell(_UNSEALED)
            self._unsealed()
            self._unsealed = None
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        try:
            mapping = mmap.mmap(fd, request.size, mmap.MAP_SHARED, protection, offset=request.offset)
        except (OSError, ValueError, OverflowError) as error:
            raise Refused(errno.EINVAL, f"{where}: {error}") from error
        self._memory.map(request.address, memoryview(mapping), writable=writable, mapping=mapping)

    def unmap(self, request: wire.DmaUnmap) -> None:
        """Give back a piece that was mapped, those that lie in a range, or all of them. Raises :class:`Refused`.

        A client whose own driver has an IOMMU names ranges that span many pieces: what is left of them would be memory that
        this device reaches by addresses which stand for other memory soon.
        """
        where = f"DMA_UNMAP of {request.size:#x} bytes at {request.address:#x}"
        if request.flags & UnmapFlag.DIRTY_BITMAP:
            raise Refused(errno.EOPNOTSUPP, f"{where}: there is no dirty bitmap")
        if request.flags & ~int(UnmapFlag.ALL) or (request.flags and (request.address or request.size)):
            raise Refused(errno.EINVAL, f"{where} with flags {request.flags:#x}")
        if request.flags:
            self.clear()
        else:
            self._take_back(request.address, request.address + request.size, where)

    def _take_back(self, start: int, end: int, where: str) -> None:
        touched = {base: size for base, size in self._pieces.items() if start < base + size and base < end}
        if not touched or any(base < start or base + size > end for base, size in touched.items()):
            raise Refused(errno.ENOENT, f"{where}: no memory was mapped exactly so")
        for base, size in touched.items():
            del self._pieces[base]
            self._memory.unmap(base, size)

    def clear(self) -> None:
        """Give everything back."""
        self._pieces.clear()
        self._memory.clear()
