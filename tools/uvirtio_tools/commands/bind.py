"""``uvirtio bind``: take devices for uio_pci_generic, or vfio-pci, and leave them there."""

from __future__ import annotations

import argparse
import json
import sys

from uvirtio.errors import UvirtioError
from uvirtio.foreign import printable

from .. import exits
from ..telling import say, tell
from .arguments import add_common, add_force, add_via, machine_device

__all__ = ["add_arguments", "run"]

SCHEMA = "uvirtio/bind"
VERSION = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``uvirtio bind``."""
    parser.add_argument("devices", metavar="DEVICE", nargs="+", help="00:05.0, virtio3, eth0, vda ...")
    add_force(parser)
    add_via(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the sysfs writes instead of doing them")
    parser.add_argument("--persist", action="store_true", help="take the device at every boot, too (a udev rule)")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Bind each device; one that fails does not keep the others from it. The worst status is the result."""
    from uvirtio.bus.uio import bind
    from uvirtio.bus.uio.discovery import describe, resolve
    from uvirtio.bus.uio.persist import persist
    from uvirtio.bus.uio.sysfs import UIO_DRIVER, VFIO_DRIVER, Sysfs

    def told(line: str) -> None:
        print(printable(line), file=sys.stderr if args.json else sys.stdout)

    sysfs = Sysfs(dry_run=True, tell=told) if args.dry_run else Sysfs()
    driver = VFIO_DRIVER if args.via == "vfio" else UIO_DRIVER
    status = exits.HOLDS
    devices: list[dict[str, object]] = []
    for text in args.devices:
        try:
            bound = bind(resolve(machine_device(text), sysfs), force=args.force, sysfs=sysfs, driver=driver)
            rule = persist(sysfs, describe(sysfs, bound.bdf), driver) if args.persist else None
        except UvirtioError as error:
            tell(error)
            devices.append({"device": text, "error": str(error)})
            status = max(status, exits.status_of(error))
            continue
        row: dict[str, object] = {
            "device": bound.bdf,
            "driver": bound.driver,
            "uio": bound.node if driver == UIO_DRIVER else None,
            "vfio": bound.node if driver == VFIO_DRIVER else None,
            "driver_before": bound.before,
            "was_bound": bound.already,
        }
        devices.append(row | {"rule": str(rule) if rule else None})
        if not args.json and not args.dry_run:
            if bound.already:
                say(f"{bound.bdf} is on {driver} already (/dev/{bound.node})")
            else:
                before = f", before on {bound.before}" if bound.before else ""
                say(
                    f"{bound.bdf} is on {driver} (/dev/{bound.node}{before}); `uvirtio restore {bound.bdf}` gives it back"
                )
            if rule:
                say(f"{bound.bdf} is taken at every boot from now on ({rule})")
    if args.json:
        json.dump({"schema": SCHEMA, "version": VERSION, "devices": devices}, sys.stdout, indent=2)
        print()
    return status
