"""``uvirtio explain``: what a statement demands, how it is judged, and what breaks it."""

from __future__ import annotations

import argparse

from .. import exits
from ..inspect.output import console, print_json
from .arguments import add_common

__all__ = ["SCHEMA", "add_arguments", "run"]

SCHEMA = "uvirtio/explanation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``explain``."""
    parser.add_argument(
        "words", metavar="ID", nargs="+", help="a statement (V3), or a sentence of the specification (2.1.2#1)"
    )
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Explain each. Raises :class:`~uvirtio.errors.UsageError` for what there is not."""
    from ..reports.explanation import explain

    found = [explain(word) for word in args.words]
    if args.json:
        print_json({"schema": SCHEMA, "version": 1, "explanations": found})
        return exits.HOLDS
    screen = console()
    for number, rows in enumerate(found):
        if number:
            screen.print()
        for name, value in rows.items():
            texts = value if isinstance(value, list) else [value]
            for position, text in enumerate(text for text in texts if text):
                screen.print(f"{name if not position else '':20}", end="")
                screen.print(str(text), highlight=False, markup=False, soft_wrap=True)
    return exits.HOLDS
