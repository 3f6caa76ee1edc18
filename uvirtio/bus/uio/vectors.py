"""The MSI-X table of a function that a process had open, put back as the journal has it."""

from __future__ import annotations

from ...errors import CannotRun, DeviceMisbehaved
from ...pci.capabilities import walk
from ...pci.msix import table_place
from ...spec.pci import CapabilityId, Command, Header, MsixControl, MsixEntry
from .bars import open_bar
from .discovery import bars_of
from .journal import Table
from .quiesce import config_region
from .sysfs import Sysfs

__all__ = ["put_table_back"]


def put_table_back(sysfs: Sysfs, bdf: str, saved: Table) -> list[str]:
    """Write the entries that a driver has changed; bus mastering is off, so nothing is sent meanwhile.

    Returns sentences about what did not work: this is for cleaning up, which goes on regardless.
    """
    config = config_region(sysfs, bdf)
    sizes = {bar.number: bar.size for bar in bars_of(sysfs, bdf)}
    places = {
        table_place(capability, MsixControl.TABLE): (
            config.u16[(capability.at + MsixControl.OFFSET) // 2] & MsixControl.SIZE_MASK
        )
        + 1
        for capability in walk(config, sizes.get)[0]
        if capability.id == CapabilityId.MSIX
    }
    # What root writes to a BAR goes by what the function says of itself, and not by the journal alone.
    if len(saved.entries) > places.get((saved.bar, saved.offset), 0):
        return [
            f"{bdf}: there is no MSI-X table of {len(saved.entries)} vectors at {saved.offset:#x} of BAR {saved.bar} any more"
        ]
    if sysfs.dry_run:
        return []
    command = config.u16[Header.COMMAND // 2]
    config.u16[Header.COMMAND // 2] = command | Command.MEMORY
    try:
        bar = open_bar(sysfs, bdf, saved.bar)
        try:
            table = bar.region.window(saved.offset, MsixEntry.SIZE * len(saved.entries)).u32
            for number, (address, data, control) in enumerate(saved.entries):
                at = 4 * number
                table[at + 3] = control | MsixEntry.MASKED
                table[at], table[at + 1], table[at + 2] = address & 0xFFFF_FFFF, address >> 32, data
                table[at + 3] = control
        finally:
            bar.close()
    except (CannotRun, DeviceMisbehaved) as error:
        return [f"{bdf}: its MSI-X table could not be put back ({error}); MSI-X is as it was"]
    finally:
        config.u16[Header.COMMAND // 2] = command
    return []
