"""Memory that a device reaches through an IOMMU, at bus addresses of our own choice."""

from __future__ import annotations

import contextlib
import errno
import mmap

from ...access.dma import Arena
from ...errors import CannotRun, UvirtioError
from ..uio.hugepages import HugePageArena
from ..uio.journal import Journal
from ..uio.sysfs import Sysfs, explain
from .kernel import address_of, map_anonymous
from .ways_in import Ranges, WayIn

__all__ = ["IdentityArena", "MappedArena", "mapping_failed", "place_for"]

#: Bus addresses begin here where that is possible: above 4 GiB, so that a high half that is lost shows.
_BASE = 0x2_4680_0000
#: Memory is taken in steps of a huge page: one entry of the IOMMU, where the kernel has one at hand.
_STEP = 2 << 20
_LEAST = 2 * _STEP


def mapping_failed(error: OSError, bdf: str, bus_address: int, size: int) -> CannotRun:
    """The error of this tree for memory that an IOMMU does not take."""
    where = f"{size:#x} bytes at bus address {bus_address:#x} cannot be mapped for {bdf}"
    if error.errno == errno.ENOMEM:
        return CannotRun(
            f"{where} (ENOMEM): memory is full, or locking so much is not allowed; raise the limit (ulimit -l unlimited)"
        )
    if error.errno == errno.EEXIST:
        return CannotRun(f"{where} (EEXIST): something is mapped there already")
    if error.errno in (errno.EINVAL, errno.EPERM):
        return CannotRun(f"{where} ({error.strerror}): the IOMMU reaches no such address")
    return explain(error, f"mapping memory for {bdf}")


def place_for(size: int, start: int, ranges: Ranges) -> int | None:
    """The lowest bus address from ``start`` on where ``size`` bytes fit into a range; all of them where none are told."""
    if not ranges:
        return start
    for first, last in sorted(ranges):
        at = -(-max(start, first) // _STEP) * _STEP
        if at + size - 1 <= last:
            return at
    return None


class MappedArena(Arena):
    """Memory of this process, each chunk mapped at a bus address of ours. It neither moves nor needs a physical address."""

    def __init__(self, way: WayIn, bdf: str) -> None:
        super().__init__()
        self._way = way
        self._bdf = bdf
        self._ranges = way.ranges()
        self._next = _BASE
        self._given: list[tuple[int, int, memoryview, mmap.mmap]] = []

    def grow(self, size: int) -> tuple[memoryview, int]:
        """Another chunk. Raises :class:`CannotRun` when there is no memory or no bus address for it."""
        size = max(_LEAST, -(-size // _STEP) * _STEP)
        at = self._place(size)
        try:
            mapping = map_anonymous(size + _STEP)
        except OSError as error:
            raise CannotRun(f"cannot get {size} bytes of memory: {error.strerror}") from error
        # On the boundary of a huge page, where the kernel can put one.
        address = address_of(mapping)
        skipped = -address % _STEP
        self._way.map(address + skipped, at, size)
        memory = memoryview(mapping)[skipped : skipped + size]
        self._next = at + size + _STEP  # a gap: what runs over the end is noticed
        self._given.append((at, size, memory, mapping))
        return memory, at

    def _place(self, size: int) -> int:
        at = place_for(size, self._next, self._ranges)
        if at is None and self._next == _BASE:
            # An IOMMU of few address bits. The first pages are left out: an address of 0 would look like none.
            at = place_for(size, _STEP, self._ranges)
        if at is None:
            told = ", ".join(f"{first:#x}-{last:#x}" for first, last in self._ranges)
            raise CannotRun(f"{self._bdf}: the IOMMU has no room for {size:#x} bytes of DMA memory (it maps {told})")
        return at

    @property
    def size(self) -> int:
        """Bytes of DMA memory so far."""
        return sum(size for _, size, _, _ in self._given)

    def close(self) -> None:
        """Take it away from the device; what somebody still holds a view of goes with that view."""
        given, self._given = self._given, []
        for at, size, memory, mapping in given:
            with contextlib.suppress(UvirtioError):  # the kernel does it when the device is closed
                self._way.unmap(at, size)
            with contextlib.suppress(BufferError):
                memory.release()
                mapping.close()


class IdentityArena(HugePageArena):
    """Memory at bus addresses that are physical ones, and mapped: right for a device that goes past the IOMMU as well."""

    def __init__(self, sysfs: Sysfs, journal: Journal, bdf: str, way: WayIn) -> None:
        super().__init__(sysfs, journal, bdf)
        self._way = way
        self._mapped: list[tuple[int, int]] = []

    def grow(self, size: int) -> tuple[memoryview, int]:
        """See :class:`~uvirtio.bus.uio.hugepages.HugePageArena`."""
        memory, at = super().grow(size)
        mapping = memory.obj
        assert isinstance(mapping, mmap.mmap), "what it maps"
        self._way.map(address_of(mapping), at, len(memory))
        self._mapped.append((at, len(memory)))
        return memory, at

    def close(self) -> None:
        """Take it away from the device, and unmap it."""
        mapped, self._mapped = self._mapped, []
        for at, size in mapped:
            with contextlib.suppress(UvirtioError):
                self._way.unmap(at, size)
        super().close()
