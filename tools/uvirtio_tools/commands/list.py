"""``uvirtio list``: every virtio PCI function of this machine."""

from __future__ import annotations

import argparse

from .. import exits
from ..codec import encode
from ..inspect.model import Description
from ..inspect.output import console, load_all, print_json, warn
from ..inspect.render import list_table
from .arguments import add_common, add_from

__all__ = ["SCHEMA", "VERSION", "add_arguments", "run"]

SCHEMA = "uvirtio/list"
VERSION = 1
#: Columns from which on everything fits.
_WIDE = 150
_MEMBERS = [
    "locator",
    "vendor",
    "device",
    "type",
    "type_name",
    "title",
    "name",
    "interface",
    "suspend",
    "suspend_known",
    "driver",
    "driver_override",
    "kernel_names",
    "used_by",
    "iommu_group",
    "iommu_type",
    "numa_node",
    "interrupt",
    "status",
    "accepted",
    "problems",
    "notes",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``list``."""
    parser.add_argument("-v", "--verbose", action="store_true", help="all columns, whatever the width of the terminal")
    add_from(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """List, and return the exit status."""
    if args.json:
        devices = load_all(args.snapshot, raw=False)
        rows = [_row(device) for device in devices]
        print_json({"schema": SCHEMA, "version": VERSION, "devices": rows})
        return exits.HOLDS
    screen = console()
    wide = args.verbose or screen.width >= _WIDE
    devices = load_all(args.snapshot, raw=False, used=wide)
    if not devices:
        warn("there is no virtio PCI function here; `uvirtio show emulated:rng` shows a device of this process")
        return exits.HOLDS
    fold = screen.is_terminal and not args.verbose  # otherwise a line per device, however long
    screen.print(list_table(devices, wide=wide, fold=fold), soft_wrap=not fold)
    for device in devices:
        for problem in device.problems:
            warn(f"{device.locator}: {problem}")
    return exits.HOLDS


def _row(device: Description) -> dict[str, object]:
    document = encode(device, _MEMBERS)
    return {member: document[member] for member in _MEMBERS}
