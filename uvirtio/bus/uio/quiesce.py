"""Stopping a device whose driver died: it may still know queues in memory that is no longer ours."""

from __future__ import annotations

from functools import partial

from ...access.clock import RealClock
from ...access.view import Region
from ...access.wait import poll
from ...errors import CannotRun, DeviceMisbehaved
from ...pci.capabilities import first_usable, walk
from ...spec.pci import Command, Header, StructureType
from ...spec.registers import COMMON, LEGACY
from ...spec.status import GONE, describe
from .bars import OpenBar, open_bar
from .discovery import bars_of
from .sysfs import Sysfs

__all__ = ["config_region", "stop"]

#: How long a left-behind device may take to reset, in seconds. Bus mastering is off meanwhile, so no harm is done after.
_TIME = 2.0


def config_region(sysfs: Sysfs, bdf: str) -> Region:
    """Configuration space without keeping it open: for a few accesses outside of driving."""
    return Region.calls(
        lambda offset, width: sysfs.peek(bdf, offset, width),
        lambda offset, width, value: sysfs.poke(bdf, offset, width, value),
        Header.SIZE,
    )


def stop(sysfs: Sysfs, bdf: str) -> str:
    """Turn bus mastering off and reset the device (virtio 1.4, 2.4).

    Returns an empty text, or a sentence about what did not work: this is for cleaning up, which goes on regardless.
    """
    config = config_region(sysfs, bdf)
    command = config.u16[Header.COMMAND // 2]
    if command == 0xFFFF:
        return f"{bdf}: configuration space does not answer; there is nothing to stop"
    config.u16[Header.COMMAND // 2] = (command & ~Command.BUS_MASTER) | Command.MEMORY | Command.IO
    if sysfs.dry_run:
        return ""
    sizes = {bar.number: bar.size for bar in bars_of(sysfs, bdf)}
    bar: OpenBar | None = None
    try:
        common = first_usable(walk(config, sizes.get)[0], StructureType.COMMON, bdf, required=False)
        if common is not None:
            bar, at = open_bar(sysfs, bdf, common.bar), common.offset + COMMON["device_status"].offset
        else:
            bar, at = open_bar(sysfs, bdf, 0), LEGACY["device_status"].offset
        status = bar.region.u8
        if status[at] in (0, GONE):
            return ""
        status[at] = 0
        polled = poll(partial(status.__getitem__, at), [value in (0, GONE) for value in range(256)], RealClock(), _TIME)
        if polled.outcome:
            return ""
        return f"{bdf}: the device did not reset within {_TIME:g} s, status reads {describe(polled.value)}; bus mastering is off"
    except (CannotRun, DeviceMisbehaved) as error:
        return f"{bdf}: the device could not be reset ({error}); bus mastering is off"
    finally:
        if bar is not None:
            bar.close()
