"""``uvirtio diff``: what changed between two snapshots, or between two devices of one."""

from __future__ import annotations

import argparse

from .. import exits
from ..inspect.changes import Change, compare, pairs
from ..inspect.output import console, print_json
from ..inspect.snapshot import load, pick
from .arguments import add_common

__all__ = ["SCHEMA", "add_arguments", "run"]

SCHEMA = "uvirtio/diff"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``diff``."""
    parser.add_argument("before", metavar="A", help="a snapshot (of `uvirtio dump` or `uvirtio show --json`)")
    parser.add_argument("after", metavar="B", help="another snapshot")
    parser.add_argument("--device", metavar="LOCATOR", help="compare only this device of both")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Compare; status 1 where something changed, as with ``diff``."""
    before, after = list(load(args.before).devices), list(load(args.after).devices)
    if args.device:
        before, after = [pick(before, args.device, args.before)], [pick(after, args.device, args.after)]
    found: list[tuple[str, list[Change]]] = []
    for left, right in pairs(before, after):
        name = (left or right).locator if left or right else ""  # type: ignore[union-attr]
        found.append((name, compare(left, right)))
    status = exits.FAILED if any(changes for _, changes in found) else exits.HOLDS
    if args.json:
        documents = [{"device": name, "changes": [change.to_json() for change in changes]} for name, changes in found]
        print_json({"schema": SCHEMA, "version": 1, "devices": documents})
        return status
    from rich import box
    from rich.table import Table

    screen = console()
    for name, changes in found:
        if not changes:
            screen.print(f"{name}: no difference")
            continue
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, title=name, title_justify="left")
        for column in ("what", args.before, args.after):
            table.add_column(column, overflow="fold")
        for change in changes:
            table.add_row(change.what, change.before, change.after)
        screen.print(table)
    return status
