"""A look at the registers of a function that is on vfio-pci, and which nobody has open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

from ...access.view import Region
from ...pci.command import change_command
from ...spec.pci import Command
from ..uio.sysfs import Sysfs
from .entering import enter
from .ioctls import RegionIndex
from .kernel import Kernel
from .regions import config_region, open_region

__all__ = ["registers_of"]


@contextmanager
def registers_of(sysfs: Sysfs, bdf: str, kernel: Kernel | None = None) -> Iterator[Callable[[int], Region]]:
    """The BARs of a function, by number. Opening it has the kernel reset it, which nobody misses: nobody has it.

    Raises :class:`~uvirtio.errors.DeviceBusy` where somebody has, and :class:`~uvirtio.errors.CannotRun`.
    """
    with ExitStack() as opened:
        way = enter(kernel or Kernel(), sysfs, bdf)
        opened.callback(way.close)
        # The kernel turns it off again.
        change_command(config_region(way.device, bdf, RegionIndex.CONFIG), set_bits=Command.MEMORY | Command.IO)

        @cache
        def bar(number: int) -> Region:
            found = open_region(way.device, bdf, number)
            opened.callback(found.close)
            return found.region

        yield bar
