"""``uvirtio watch``: a device (or all of them), live, with nothing but rich."""

from __future__ import annotations

import argparse
import time

from .. import exits
from ..inspect.live import LiveDevice, LiveMachine
from ..inspect.live_view import View, watch
from ..inspect.output import console, print_json
from .arguments import add_common, add_from, positive_integer, seconds

__all__ = ["SCHEMA", "add_arguments", "run"]

SCHEMA = "uvirtio/watch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``watch``."""
    parser.add_argument("locator", metavar="LOCATOR", nargs="?", help="a device; without one, the list of all")
    parser.add_argument(
        "--interval", metavar="SECONDS", type=seconds(zero=False), default=1.0, help="time between looks (default: 1)"
    )
    parser.add_argument("--count", metavar="N", type=positive_integer, help="look N times, tell what changed, and end")
    add_from(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Watch until ``q``, or ``--count`` times; returns the exit status."""
    machine: LiveMachine | None = None
    device: LiveDevice | None = None
    if args.snapshot is not None:
        from ..inspect.snapshot import load, pick

        devices = load(args.snapshot).devices
        if args.locator or len(devices) == 1:
            found = pick(devices, args.locator, args.snapshot)
            device = LiveDevice(found.locator, fixed=found)
        else:
            machine = LiveMachine(fixed=devices)
    elif args.locator:
        from uvirtio.bus.locator import parse

        parse(args.locator)  # what cannot be understood is said at once
        device = LiveDevice(args.locator)
    else:
        machine = LiveMachine()
    view = View(machine, device, args.interval)
    try:
        if args.count is not None or args.json:
            _count(args, view)
        else:
            watch(view)
        return exits.FAILED if view.device is not None and view.device.gone else exits.HOLDS
    finally:
        for each in (view.device, machine):
            if each is not None:
                each.close()


def _count(args: argparse.Namespace, view: View) -> None:
    """Without a terminal: look some times, and tell what changed."""
    for number in range(args.count or 2):
        if number:
            time.sleep(view.interval)
        view.refresh()
    device = view.device
    if args.json:
        from ..codec import encode

        if device is not None:
            body: dict[str, object] = {
                "locator": device.locator,
                "error": device.error,
                "gone": device.gone,
                "interrupts": device.interrupts,
                "interrupts_per_second": device.rate,
                "events": [{"time": event.time, "text": event.text} for event in device.events],
                "device": encode(device.description) if device.description else None,
            }
        else:
            assert view.machine is not None
            rows = view.machine.rows
            body = {"devices": [{"locator": row.locator, "error": row.error, "gone": row.gone} for row in rows]}
        print_json({"schema": SCHEMA, "version": 1, "looks": args.count or 2, **body})
    else:
        screen = console()
        if device is None:
            screen.print(view.listing())
        for event in device.events if device is not None else ():
            screen.print(f"{event.clock} {event.text}")
