"""``uvirtio restore``: give devices back to the drivers that they had, also after a crash."""

from __future__ import annotations

import argparse
import json
import sys

from uvirtio.errors import UsageError, UvirtioError

from .. import exits
from .arguments import add_common, machine_device

__all__ = ["add_arguments", "run"]

SCHEMA = "uvirtio/restore"
VERSION = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``uvirtio restore``."""
    parser.add_argument(
        "devices", metavar="DEVICE", nargs="*", help="PCI addresses; none: every device that uvirtio took"
    )
    parser.add_argument("--all", action="store_true", help="every device that uvirtio took and that is not back yet")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Restore each device; the worst status is the result."""
    from uvirtio.bus.uio import Restored, pending, restore, restore_all
    from uvirtio.bus.uio.discovery import resolve
    from uvirtio.bus.uio.persist import forget, persistent
    from uvirtio.bus.uio.sysfs import Sysfs

    if args.all and args.devices:
        raise UsageError("restore takes devices or --all, not both")
    sysfs = Sysfs()
    results: list[Restored | UvirtioError] = []
    forgotten: list[str] = []
    if args.devices:
        for text in args.devices:
            try:
                # A device that was unplugged resolves no more, but what it left behind is still to be given back.
                bdf = text if text in pending() else resolve(machine_device(text))
                if forget(sysfs, bdf):
                    forgotten.append(bdf)
                results.append(restore(bdf))
            except UvirtioError as error:
                results.append(error)
    else:
        for bdf in persistent(sysfs):
            try:
                if forget(sysfs, bdf):
                    forgotten.append(bdf)
            except UvirtioError as error:
                results.append(error)
        results += restore_all()
    status = exits.HOLDS
    if not args.json:
        for bdf in forgotten:
            print(f"{bdf} is no longer taken at boot")
    devices: list[dict[str, object]] = []
    for result in results:
        if isinstance(result, UvirtioError):
            status = max(status, exits.status_of(result))
            print(f"uvirtio: {result}", file=sys.stderr)
            devices.append({"error": str(result)})
            continue
        devices.append({"device": result.bdf, "driver": result.driver, "notes": list(result.notes)})
        for note in result.notes:
            print(f"uvirtio: {note}", file=sys.stderr)
        if not args.json:
            print(
                f"{result.bdf} is back on {result.driver}"
                if result.driver
                else f"{result.bdf} has no driver, as before"
            )
    if args.json:
        json.dump(
            {"schema": SCHEMA, "version": VERSION, "devices": devices, "no_longer_at_boot": forgotten},
            sys.stdout,
            indent=2,
        )
        print()
    elif not results and not forgotten:
        print("nothing to restore: uvirtio holds no device")
    return status
