"""How a balloon's requests name pages (virtio 1.4, 5.5.6)."""

from __future__ import annotations

from collections.abc import Sequence

from uvirtio.errors import CannotRun
from uvirtio.spec.formats.balloon import PAGE_NUMBER, PAGE_SIZE

__all__ = ["page_numbers"]


def page_numbers(addresses: Sequence[int]) -> bytes:
    """The array of a request. Raises :class:`CannotRun` for a page that 32 bits cannot name."""
    numbers = [address // PAGE_SIZE for address in addresses]
    if max(numbers) >> 8 * PAGE_NUMBER.size:
        raise CannotRun(f"the page at {max(addresses):#x} lies above what a balloon's 32-bit page numbers can name")
    return b"".join(map(PAGE_NUMBER.pack, numbers))
