"""``uvirtio completion``: what a shell has to be told to complete the command line."""

from __future__ import annotations

import argparse

from .. import exits
from .shells import SHELLS

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The shell."""
    parser.add_argument("shell", metavar="SHELL", choices=tuple(SHELLS), help=f"one of {', '.join(SHELLS)}")


def run(args: argparse.Namespace) -> int:
    """Print it."""
    print(SHELLS[args.shell](), end="")
    return exits.HOLDS
