"""``uvirtio report``: renders results again, and compares several."""

from __future__ import annotations

import argparse

from .. import exits
from ..reports import load
from ..reports.writing import show
from .arguments import add_common, add_report_options, format_of, output_of

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``uvirtio report``."""
    parser.add_argument(
        "results", metavar="RESULT", nargs="+", help="files that uvirtio check --format json has written"
    )
    add_report_options(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """The command: 0 whatever the verdicts are, 2 for a file that is none, is damaged, or is newer."""
    format_ = format_of(args)
    documents = [load(path) for path in args.results]
    show(documents, format_, output_of(args))
    return exits.HOLDS
