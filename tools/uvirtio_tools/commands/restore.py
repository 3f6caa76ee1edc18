"""``uvirtio restore``: give devices back to the drivers that they had, also after a crash."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from uvirtio.errors import UsageError, UvirtioError

from .. import exits
from ..telling import say, tell
from .arguments import add_common, machine_device

if TYPE_CHECKING:
    from uvirtio.bus.uio import Restored

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
    if args.all and args.devices:
        raise UsageError("restore takes devices or --all, not both")
    results, forgotten = _given_back(args.devices)
    failures = [result for result in results if isinstance(result, UvirtioError)]
    for failure in failures:
        tell(failure)
    for note in (note for result in results if not isinstance(result, UvirtioError) for note in result.notes):
        tell(note)
    if args.json:
        document = {"devices": [_as_json(result) for result in results], "no_longer_at_boot": forgotten}
        json.dump({"schema": SCHEMA, "version": VERSION} | document, sys.stdout, indent=2)
        print()
    else:
        _print(results, forgotten)
    return max((exits.status_of(failure) for failure in failures), default=exits.HOLDS)


def _given_back(devices: list[str]) -> tuple[list[Restored | UvirtioError], list[str]]:
    """What became of each device, all that uvirtio holds where none is named; and which are no longer taken at boot."""
    from uvirtio.bus.uio import pending, restore, restore_all
    from uvirtio.bus.uio.discovery import resolve
    from uvirtio.bus.uio.persist import forget, persistent
    from uvirtio.bus.uio.sysfs import Sysfs

    sysfs = Sysfs()
    results: list[Restored | UvirtioError] = []
    forgotten: list[str] = []
    for text in devices or persistent(sysfs):
        try:
            # A device that was unplugged resolves no more, but what it left behind is still to be given back.
            bdf = text if not devices or text in pending() else resolve(machine_device(text))
            if forget(sysfs, bdf):
                forgotten.append(bdf)
            if devices:
                results.append(restore(bdf))
        except UvirtioError as error:
            results.append(error)
    return results if devices else [*results, *restore_all()], forgotten


def _as_json(result: Restored | UvirtioError) -> dict[str, object]:
    if isinstance(result, UvirtioError):
        return {"error": str(result)}
    return {"device": result.bdf, "driver": result.driver, "notes": list(result.notes)}


def _print(results: list[Restored | UvirtioError], forgotten: list[str]) -> None:
    for bdf in forgotten:
        say(f"{bdf} is no longer taken at boot")
    for result in results:
        if isinstance(result, UvirtioError):
            continue
        say(f"{result.bdf} is back on {result.driver}" if result.driver else f"{result.bdf} has no driver, as before")
    if not results and not forgotten:
        print("nothing to restore: uvirtio holds no device")
