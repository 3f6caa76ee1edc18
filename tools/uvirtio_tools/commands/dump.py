"""``uvirtio dump``: a snapshot file, for a bug report or to compare with later."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime

from uvirtio.errors import UsageError

from .. import exits
from ..driving.machine import describe_machine
from ..inspect.output import load_all, one_device, print_json, warn
from ..inspect.snapshot import Snapshot
from ..named_files import STANDARD_OUTPUT, check_writable, write_text
from .arguments import add_common, add_from, add_intrusive

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``dump``."""
    parser.add_argument("locators", metavar="LOCATOR", nargs="*", help="devices (or --all)")
    parser.add_argument(
        "-o", "--output", metavar="FILE", default=STANDARD_OUTPUT, help="where to write (default: stdout)"
    )
    parser.add_argument("--all", action="store_true", help="every virtio function of this machine")
    add_intrusive(parser)
    add_from(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Write the snapshot, and return the exit status."""
    if bool(args.locators) == args.all:
        raise UsageError("name devices, or give --all (not both); `uvirtio list` shows the devices")
    if args.output != STANDARD_OUTPUT:
        check_writable("--output", args.output)
    if args.all:
        devices = load_all(args.snapshot)
    else:
        devices = [one_device(locator, args.snapshot, intrusive=args.intrusive) for locator in args.locators]
    taken = datetime.now(UTC).isoformat(timespec="seconds")
    document = Snapshot(tuple(devices), describe_machine(), taken).document()
    if args.output == STANDARD_OUTPUT:
        print_json(document)
        return exits.HOLDS
    write_text("--output", args.output, json.dumps(document, indent=2) + "\n")
    warn(f"{len(devices)} device{'s' * (len(devices) != 1)} written to {args.output}")
    if args.json:
        json.dump({"schema": "uvirtio/dump", "version": 1, "file": args.output, "devices": len(devices)}, sys.stdout)
        sys.stdout.write("\n")
    return exits.HOLDS
