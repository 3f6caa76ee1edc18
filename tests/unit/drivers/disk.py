"""A disk in a few lines, that a test can make lose, repeat, misplace or damage what it was given."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.drivers.support import Seen, Stand, stand_in
from uvirtio.spec.devices import blk as spec
from uvirtio.spec.ids import DeviceType

__all__ = ["Disk", "disk_type"]


class Disk:
    """Contents, and what came in. ``meddle(kind, sector, data)`` may change a write's data, or drop it by None."""

    def __init__(self, sectors: int) -> None:
        self.contents = bytearray(sectors * 512)
        self.written: list[int] = []
        self.meddle: Callable[[int, bytes], tuple[int, bytes] | None] | None = None
        self.silent = False

    def __call__(self, seen: Seen) -> int:
        kind, sector = int.from_bytes(seen.readable[:4], "little"), int.from_bytes(seen.readable[8:16], "little")
        size = sum(seen.writable_sizes) - 1
        if kind == 0:
            if self.silent:
                seen.write(b"\0", size)
                return size + 1
            return seen.write(bytes(self.contents[sector * 512 : sector * 512 + size]) + b"\0")
        if kind == 1:
            self.written.append(sector)
            change: tuple[int, bytes] | None = (sector, seen.readable[16:])
            if self.meddle is not None:
                change = self.meddle(sector, seen.readable[16:])
            if change is not None:
                self.contents[change[0] * 512 : change[0] * 512 + len(change[1])] = change[1]
        return seen.write(b"\0")


def disk_type(disk: Disk, **changes: object) -> type[Stand]:
    """The device around it."""
    settings: dict[str, object] = {
        "features": (spec.FLUSH, spec.MQ),
        "queues": 2,
        "config": {"capacity": len(disk.contents) // 512, "num_queues": 2},
    }
    return stand_in(DeviceType.BLK, disk, **(settings | changes))  # type: ignore[arg-type]
