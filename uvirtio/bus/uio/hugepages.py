"""DMA memory for a device behind physical addresses: 2 MiB huge pages, which stay where they are.

The physical address comes from ``/proc/self/pagemap``. Missing pages are asked of the kernel; that is in the journal
before it is done, and given back.
"""

from __future__ import annotations

import errno
import mmap
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from ...access.dma import Arena
from ...errors import CannotRun, PrivilegeMissing
from .journal import Journal, Reservation
from .lock import FunctionLock
from .sysfs import Sysfs

__all__ = ["HUGE_PAGE", "HugePageArena", "give_back", "physical_address", "reserve"]

#: Size of a huge page in bytes.
HUGE_PAGE = 2 << 20
_MFD_HUGE_2MB = 21 << 26
_MADV_POPULATE_WRITE = 23
_BASE_PAGE = 4096
_PRESENT = 1 << 63
_FRAME = (1 << 55) - 1


def physical_address(sysfs: Sysfs, address: int) -> int:
    """The physical address behind one of this process. Raises :class:`PrivilegeMissing`, :class:`CannotRun`."""
    path = sysfs.proc / "self/pagemap"
    try:
        with open(path, "rb", buffering=0) as pagemap:
            data = os.pread(pagemap.fileno(), 8, address // _BASE_PAGE * 8)
    except OSError as error:
        raise CannotRun(
            f"cannot read {path} ({error.strerror}): DMA needs it; the kernel must have PROC_PAGE_MONITOR"
        ) from error
    entry = int.from_bytes(data, "little")
    if len(data) < 8 or not entry & _PRESENT:
        raise CannotRun(f"{path} says that a page of DMA memory is not in memory; it should be: is this a real /proc?")
    frame = entry & _FRAME
    if frame == 0:
        raise PrivilegeMissing(
            f"{path} hides physical addresses: reading them needs CAP_SYS_ADMIN; run it as root (sudo uvirtio ...), "
            "in a container with that capability"
        )
    return frame * _BASE_PAGE + address % _BASE_PAGE


def reserve(sysfs: Sysfs, journal: Journal, bdf: str, pages: int) -> None:
    """See to it that ``pages`` huge pages are free. Raises :class:`CannotRun` when the kernel has no room for them."""
    pool = _pool(sysfs)
    if not pool.is_dir():
        raise CannotRun(f"this kernel has no 2 MiB huge pages ({pool} is not there); DMA memory needs them")
    with FunctionLock("hugepages", journal.run, wait=True):
        free = sysfs.number(pool / "free_hugepages") - sysfs.number(pool / "resv_hugepages")
        if free >= pages:
            return
        before, wanted = sysfs.number(pool / "nr_hugepages"), pages - free
        available = re.search(r"^MemAvailable:\s*(\d+) kB", sysfs.read(sysfs.proc / "meminfo"), re.MULTILINE)
        if available and wanted * HUGE_PAGE > int(available[1]) * 1024 // 2:
            # The kernel would try, and throw out everything else on the way.
            raise CannotRun(
                f"DMA needs {wanted} more huge pages of 2 MiB, which is more than half of the {int(available[1]) >> 10} MiB "
                "of memory that are available; use smaller queues or buffers, or give this VM more memory"
            )
        entry = journal.read(bdf)
        earlier = entry.hugepages if entry else ()
        asked = Reservation(before, wanted)
        journal.change(bdf, hugepages=(*earlier, asked))
        sysfs.write(pool / "nr_hugepages", str(before + wanted))
        got = max(0, sysfs.number(pool / "nr_hugepages") - before)
        journal.change(bdf, hugepages=(*earlier, replace(asked, got=got)))
    if got < wanted:
        raise CannotRun(
            f"DMA needs {wanted} more huge pages of 2 MiB and the kernel found {got}: memory is full or in pieces; "
            f"free some, or reserve them at boot with hugepages={before + wanted} on the kernel's command line"
        )


def give_back(sysfs: Sysfs, run: Path, reservations: Sequence[Reservation]) -> list[str]:
    """Give back what :func:`reserve` asked for; nothing to be said about it."""
    path = _pool(sysfs) / "nr_hugepages"
    with FunctionLock("hugepages", run, wait=True):
        now = sysfs.number(path)
        left = now
        for item in reversed(reservations):
            # Without an answer on record the process died around the write: what came is what the pool grew by.
            came = item.got if item.got is not None else min(item.wanted, max(0, left - item.before))
            left = max(0, left - came)
        if left != now:
            sysfs.write(path, str(left))
    return []


def _pool(sysfs: Sysfs) -> Path:
    return sysfs.sys / f"kernel/mm/hugepages/hugepages-{HUGE_PAGE >> 10}kB"


class HugePageArena(Arena):
    """DMA memory in huge pages; a chunk of several is contiguous for the device."""

    page = HUGE_PAGE
    flags = getattr(os, "MFD_HUGETLB", 4) | _MFD_HUGE_2MB

    def __init__(self, sysfs: Sysfs, journal: Journal, bdf: str) -> None:
        super().__init__()
        self._sysfs = sysfs
        self._journal = journal
        self._bdf = bdf
        self._maps: list[tuple[mmap.mmap, list[int]]] = []

    def grow(self, size: int) -> tuple[memoryview, int]:
        """Huge pages that hold ``size`` bytes. Raises :class:`CannotRun`, :class:`PrivilegeMissing`."""
        pages = -(-size // self.page)
        # The kernel often has neighbours at hand, and sometimes only among more pages than are needed.
        attempts = (pages,) if pages == 1 else (pages, pages * 2, pages * 4 + 16)
        for candidates in attempts:
            try:
                self._reserve(candidates)
            except CannotRun:
                if candidates == attempts[0]:
                    raise
                break
            mapping, addresses = self._contiguous(pages, candidates)
            if mapping is not None:
                break
        else:
            mapping = None
        if mapping is None:
            raise CannotRun(
                f"{size} contiguous bytes of DMA memory are {pages} neighbouring huge pages, and the kernel gave none that "
                "are neighbours; use smaller queues or buffers, or reserve huge pages at boot (hugepages=64)"
            )
        self._maps.append((mapping, addresses))
        return memoryview(mapping), addresses[0]

    def verify(self) -> None:
        """Look the addresses up again. Raises :class:`CannotRun` when the kernel has moved a page."""
        for mapping, addresses in self._maps:
            for index, (was, now) in enumerate(zip(addresses, self._addresses(mapping, len(addresses)), strict=True)):
                if was != now:
                    raise CannotRun(
                        f"the kernel moved huge page {index} of the DMA memory from {was:#x} to {now:#x} under the device; "
                        "stop what migrates memory (compaction, hot-unplug, numactl) and run it again"
                    )

    @property
    def size(self) -> int:
        """Bytes of DMA memory so far."""
        return sum(len(addresses) for _, addresses in self._maps) * self.page

    def close(self) -> None:
        """Unmap. Memory that somebody still holds a view of goes when that view goes."""
        for memory, _ in self._chunks:
            memory.release()
        self._free.clear()
        self._chunks.clear()
        maps, self._maps = self._maps, []
        for mapping, _ in maps:
            try:
                mapping.close()
            except BufferError:
                continue

    # -- pages -------------------------------------------------------------------------------------------------

    def _reserve(self, pages: int) -> None:
        reserve(self._sysfs, self._journal, self._bdf, pages)

    def _physical(self, address: int) -> int:
        return physical_address(self._sysfs, address)

    def _addresses(self, mapping: mmap.mmap, pages: int) -> list[int]:
        base = _address_of(mapping)
        return [self._physical(base + index * self.page) for index in range(pages)]

    def _contiguous(self, pages: int, candidates: int) -> tuple[mmap.mmap | None, list[int]]:
        """Map ``pages`` neighbouring pages out of ``candidates`` fresh ones, in the order of their addresses."""
        handle = os.memfd_create("uvirtio-dma", os.MFD_CLOEXEC | self.flags)
        try:
            os.ftruncate(handle, candidates * self.page)
            mapping = self._map(handle, candidates)
            addresses = self._addresses(mapping, candidates)
            if any(address % self.page for address in addresses):
                raise CannotRun("the kernel gave pages that are not huge although huge pages were asked for")
            order = sorted(range(candidates), key=addresses.__getitem__)
            run = _neighbours([addresses[index] for index in order], pages, self.page)
            if run is None:
                mapping.close()
                return None, []
            chosen = order[run : run + pages]
            if chosen != list(range(candidates)):
                mapping.close()
                mapping = self._map(handle, pages)
                _rearrange(mapping, handle, chosen, self.page)
                self._populate(mapping, pages)
            found = self._addresses(mapping, pages)
            if any(after - before != self.page for before, after in pairwise(found)):
                raise CannotRun("the kernel moved huge pages while they were put in order; run it again")
            return mapping, found
        except OSError as error:
            raise CannotRun(
                f"{candidates} huge pages could not be mapped: {error.strerror}; "
                "something else takes them, or a limit of the control group (hugetlb) is in the way"
            ) from error
        finally:
            os.close(handle)

    def _map(self, handle: int, pages: int) -> mmap.mmap:
        mapping = mmap.mmap(handle, pages * self.page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._populate(mapping, pages)
        return mapping

    def _populate(self, mapping: mmap.mmap, pages: int) -> None:
        # A child of this process must neither share these pages nor copy them.
        mapping.madvise(mmap.MADV_DONTFORK)
        try:
            # Unlike a plain touch, this gives an error and no SIGBUS where a limit is in the way (Linux 5.14).
            mapping.madvise(_MADV_POPULATE_WRITE)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        for index in range(pages):
            mapping[index * self.page] = mapping[index * self.page]


def _neighbours(addresses: list[int], pages: int, page: int) -> int | None:
    """Where in sorted addresses ``pages`` of them follow each other; None where they do not."""
    start = 0
    for index, address in enumerate(addresses):
        if index and address != addresses[index - 1] + page:
            start = index
        if index - start + 1 == pages:
            return start
    return None


def _address_of(mapping: mmap.mmap) -> int:
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(mapping))


def _rearrange(mapping: mmap.mmap, handle: int, order: list[int], page: int) -> None:
    """Put the file's pages into a mapping in another order, without giving up the mapping's range of addresses."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    base = _address_of(mapping)
    for index, place in enumerate(order):
        target = base + index * page
        got = library.mmap(
            target, page, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED | _MAP_FIXED, handle, place * page
        )
        if got != target:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


_MAP_FIXED = 0x10
