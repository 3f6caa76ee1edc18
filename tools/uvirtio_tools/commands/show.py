"""``uvirtio show``: everything that one device says."""

from __future__ import annotations

import argparse

from .. import exits
from ..inspect.output import console, one_device, print_json
from .arguments import add_common, add_from, add_intrusive

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``show``."""
    parser.add_argument("locator", metavar="LOCATOR", nargs="?", help="a device: 00:05.0, virtio3, eth0, emulated:rng")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="raw bytes too; twice: configuration space")
    add_intrusive(parser)
    add_from(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Show, and return the exit status."""
    device = one_device(args.locator, args.snapshot, intrusive=args.intrusive)
    if args.json:
        from ..inspect.snapshot import device_document

        print_json(device_document(device))
        return exits.HOLDS
    from ..inspect.render import device_sections

    screen = console()
    for part in device_sections(device, args.verbose):
        screen.print(part)
    return exits.HOLDS
