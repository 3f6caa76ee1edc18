"""An archive in the format that the kernel unpacks into its first root (``newc``, Documentation/driver-api/early-userspace)."""

from __future__ import annotations

import stat
from collections.abc import Mapping

__all__ = ["DEVICE", "archive", "padded"]

#: path -> mode and content; a link's content is where it leads.
Files = Mapping[str, tuple[int, bytes]]

_MAGIC = "070701"
DEVICE = stat.S_IFCHR
#: Character devices that have to be there before anything is mounted: path -> major, minor.
_NODES = {"dev/console": (5, 1), "dev/null": (1, 3)}


def padded(data: bytes) -> bytes:
    """With zeros up to a multiple of four, as header and content are."""
    return data + bytes(-len(data) % 4)


def _entry(number: int, path: str, mode: int, data: bytes, node: tuple[int, int] = (0, 0)) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, *node, len(name), 0)
    header = _MAGIC + "".join(f"{field:08x}" for field in fields)
    return padded(header.encode() + name) + padded(data)


def archive(files: Files) -> bytes:
    """The archive of these files, the folders above them and the first devices. The same files give the same bytes."""
    folders = {"dev", *(path.rpartition("/")[0] for path in files)} - {""}
    for folder in tuple(folders):
        while folder := folder.rpartition("/")[0]:
            folders.add(folder)
    parts = [_entry(number, path, stat.S_IFDIR | 0o755, b"") for number, path in enumerate(sorted(folders), 1)]
    for path, node in _NODES.items():
        parts.append(_entry(len(parts) + 1, path, DEVICE | 0o600, b"", node))
    for path, (mode, data) in sorted(files.items()):
        parts.append(_entry(len(parts) + 1, path, mode, data))
    parts.append(_entry(0, "TRAILER!!!", 0, b""))
    return b"".join(parts)
