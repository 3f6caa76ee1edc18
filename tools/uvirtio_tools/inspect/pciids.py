"""Names of PCI functions: from pci.ids where it is installed, else our own words."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from uvirtio.spec.devices import device_spec
from uvirtio.spec.ids import TRANSITIONAL, VENDOR, device_type

__all__ = ["PATHS", "device_name"]

#: Where distributions keep the list.
PATHS = (Path("/usr/share/misc/pci.ids"), Path("/usr/share/hwdata/pci.ids"), Path("/usr/share/pci.ids"))


@cache
def _virtio_names(paths: tuple[Path, ...]) -> dict[int, str]:
    """device id -> name, of the one vendor that matters."""
    for path in paths:
        try:
            data = path.read_bytes()
        except OSError:
            continue
        # More than a megabyte of other people's devices: only our own lines are made text.
        start = data.find(b"\n%04x " % VENDOR)
        if start < 0:
            continue
        end = re.compile(rb"\n[0-9a-fA-F]").search(data, start + 5)
        block = data[start : end.start() if end else len(data)].decode("utf-8", "replace")
        return {int(match[1], 16): match[2].strip() for match in re.finditer(r"\n\t([0-9a-f]{4})\s+(.*)", block)}
    return {}


def device_name(device: int, subsystem: int = 0, paths: tuple[Path, ...] | None = None) -> str:
    """What a virtio function with these ids is called. ``paths``: where to look (None: :data:`PATHS`)."""
    kind = device_type(device, subsystem)
    known = _virtio_names(PATHS if paths is None else paths).get(device)
    if known and TRANSITIONAL.get(device, kind) == kind:
        return known
    title = device_spec(kind).title
    return f"Virtio {title}" if not title.startswith("virtio") else title[0].upper() + title[1:]
