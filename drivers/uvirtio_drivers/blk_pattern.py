"""What the block workload writes: a pattern that says where it belongs and which write it came from."""

from __future__ import annotations

from hashlib import blake2b
from random import Random
from struct import Struct
from zlib import crc32

from .blk_request import UNTOUCHED

__all__ = ["MAGIC", "explain", "fingerprint", "make_pattern"]

MAGIC = b"uvirtio\x01"
#: Magic, sector, generation; random bytes follow, and a CRC-32 of all of it.
_HEAD = Struct("<8sQQ")
_CHECK = 4


def make_pattern(sector: int, generation: int, size: int) -> bytes:
    """``size`` bytes (at least 64) for a write to ``sector``; each generation differs."""
    head = _HEAD.pack(MAGIC, sector, generation)
    body = head + Random(sector << 32 ^ generation).randbytes(size - len(head) - _CHECK)
    return body + crc32(body).to_bytes(_CHECK, "little")


def fingerprint(data: bytes) -> bytes:
    """Eight bytes that tell contents apart. No CRC: over data that ends with its own CRC that is always the same."""
    return blake2b(data, digest_size=8).digest()


def explain(sector: int, generation: int, data: bytes, ours: bool) -> str:
    """What ``data``, read at ``sector``, says about why it is not the pattern of ``generation``."""
    if data == bytes((UNTOUCHED,)) * len(data):
        return f"sector {sector}: the device said that it had read {len(data)} bytes but wrote none into the buffer"
    if not ours:
        return f"sector {sector}: {len(data)} bytes read differently than before, although nothing was written"
    magic, at, found = _HEAD.unpack_from(data)
    intact = crc32(data[:-_CHECK]) == int.from_bytes(data[-_CHECK:], "little")
    if magic != MAGIC or not intact:
        damaged = _first_difference(data, make_pattern(sector, generation, len(data)))
        return (
            f"sector {sector}: what write {generation} put there is damaged: the first wrong byte is number {damaged} "
            f"of {len(data)}"
        )
    if at != sector:
        return f"sector {sector}: holds what write {found} put at sector {at}; one of the two went to the wrong place"
    return (
        f"sector {sector}: holds write {found}, but write {generation} was completed after it: "
        "the later one was lost, or the earlier one was done again"
    )


def _first_difference(data: bytes, expected: bytes) -> int:
    return next((i for i, (a, b) in enumerate(zip(data, expected, strict=True)) if a != b), len(data))
