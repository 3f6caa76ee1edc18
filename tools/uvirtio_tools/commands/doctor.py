"""``uvirtio doctor``: is this machine ready, and if not, what to type."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from .. import exits
from ..inspect.output import console, print_json
from ..inspect.readiness import Fact, examine
from .arguments import add_common

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["SCHEMA", "add_arguments", "run"]

SCHEMA = "uvirtio/doctor"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``doctor``: only the common ones."""
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Examine the machine; status 1 where something is missing."""
    facts = examine()
    wrong = sum(fact.state == "missing" for fact in facts)
    status = exits.FAILED if wrong else exits.HOLDS
    if args.json:
        print_json({"schema": SCHEMA, "version": 1, "facts": [asdict(fact) for fact in facts]})
        return status
    screen = console()
    screen.print(_table(facts))
    screen.print()
    screen.print("this machine is ready" if not wrong else f"{wrong} of {len(facts)} things are in the way")
    return status


def _table(facts: list[Fact]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("found", overflow="fold")
    for fact in facts:
        text = fact.text if not fact.advice else f"{fact.text}\n  {fact.advice}"
        table.add_row(fact.state, fact.name, text, style="bold" if fact.state == "missing" else "")
    return table
