"""Tells whether somebody's data is on a disk: partition tables, file systems, volumes, RAID members, swap, encryption.

It reads, and knows where each kind leaves its mark, and what a run of the block workload leaves. A mark means "keep off", and
so does a first sector that is neither empty nor such a run's; that neither is found proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from uvirtio.spec.formats.blk import SECTOR

from .blk_pattern import MAGIC

__all__ = ["MARKS", "find_signature"]

#: (what it is, byte offset from the start, its mark); a negative offset counts from the end.
MARKS: tuple[tuple[str, int, bytes], ...] = (
    ("a GPT partition table", 512, b"EFI PART"),
    ("a GPT partition table (4096-byte blocks)", 4096, b"EFI PART"),
    ("the backup of a GPT partition table", -512, b"EFI PART"),
    ("an LVM physical volume", 0, b"LABELONE"),
    ("an LVM physical volume", 512, b"LABELONE"),
    ("an LVM physical volume", 1024, b"LABELONE"),
    ("an LVM physical volume", 1536, b"LABELONE"),
    ("an MD RAID member (1.1)", 0, b"\xfc\x4e\x2b\xa9"),
    ("an MD RAID member (1.2)", 4096, b"\xfc\x4e\x2b\xa9"),
    ("a LUKS volume", 0, b"LUKS\xba\xbe"),
    ("an ext2, ext3 or ext4 file system", 0x438, b"\x53\xef"),
    ("an XFS file system", 0, b"XFSB"),
    ("a Btrfs file system", 0x10040, b"_BHRfS_M"),
    ("a bcachefs or bcache device", 0x1018, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca"),
    ("an F2FS file system", 0x400, b"\x10\x20\xf5\xf2"),
    ("an EROFS file system", 0x400, b"\xe2\xe1\xf5\xe0"),
    ("a SquashFS file system", 0, b"hsqs"),
    ("an ISO 9660 file system", 0x8001, b"CD001"),
    ("an NTFS file system", 3, b"NTFS    "),
    ("an exFAT file system", 3, b"EXFAT   "),
    ("a FAT file system", 54, b"FAT"),
    ("a FAT file system", 82, b"FAT32"),
    ("swap space", 4086, b"SWAPSPACE2"),
    ("swap space", 0xFFF6, b"SWAPSPACE2"),
    ("a boot sector or MBR partition table", 510, b"\x55\xaa"),
)

#: MD RAID 0.90 and 1.0 stand near the end, at places that depend on the size.
_MD = b"\xfc\x4e\x2b\xa9"
_ZFS = b"\x0c\xb1\xba\x00\x00\x00\x00\x00"
#: Uberblocks of a ZFS label: 128 KiB into it, one per 1 KiB.
_ZFS_FIRST, _ZFS_LAST = 128 << 10, 256 << 10
_HEAD = 256 << 10


def find_signature(read: Callable[[int, int], bytes], capacity: int) -> str | None:
    """What is on the disk, in words, or None. ``read(sector, length)``; ``capacity`` in sectors of 512 bytes."""
    size = capacity * SECTOR
    head = read(0, min(_HEAD, size)) if size else b""
    tail_at = max(0, size - (128 << 10))
    tail = read(tail_at // SECTOR, size - tail_at) if size else b""
    for words, offset, mark in MARKS:
        piece = head[offset : offset + len(mark)] if offset >= 0 else tail[offset:][: len(mark)]
        if piece == mark:
            return words
    for at in (_md_0_90(size), _md_1_0(size)):
        if tail_at <= at and tail[at - tail_at :][: len(_MD)] == _MD:
            return "an MD RAID member"
    if any(head[at : at + 8] in (_ZFS, _ZFS[::-1]) for at in range(_ZFS_FIRST, _ZFS_LAST, 1024)):
        return "a ZFS pool member"
    first = head[:SECTOR]
    # What an earlier run has written may be written again.
    if any(first) and not first.startswith(MAGIC):
        return "something unknown at its beginning"
    return None


def _md_0_90(size: int) -> int:
    return (size & ~0xFFFF) - 0x10000


def _md_1_0(size: int) -> int:
    return (size // SECTOR - 16 & ~7) * SECTOR
