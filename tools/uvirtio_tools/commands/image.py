"""``uvirtio image build``: a guest for any VMM."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from uvirtio.errors import UsageError

from .. import exits
from ..image.building import FLAVOURS, Recipe, build
from ..image.places import ARCHES, SCHEMA, Image, arch_of, folder_of, load
from ..inspect.output import print_json
from ..telling import say, tell
from .arguments import add_common

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``image``."""
    parser.add_argument(
        "action", metavar="ACTION", choices=("build", "show"), help="build: make one; show: what one is"
    )
    parser.add_argument("--arch", metavar="ARCH", help=f"{' or '.join(ARCHES)} (default: this machine's)")
    parser.add_argument(
        "--flavour", choices=tuple(FLAVOURS), default="cloud",
        help="Debian's kernel for virtual machines, or the one for all machines (default: cloud)",
    )  # fmt: skip
    parser.add_argument(
        "--suite", metavar="SUITE", default="",
        help="where the kernel comes from: trixie, trixie-backports ... (default: this machine's release of Debian)",
    )  # fmt: skip
    parser.add_argument("--no-tui", action="store_true", help="leave the interactive interface out, and 1 MB with it")
    parser.add_argument(
        "--output", "-o", metavar="DIRECTORY", help="where it is made (default: uvirtio/image/ARCH in the user's cache)"
    )
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """The command."""
    arch = arch_of(args.arch)
    folder = Path(args.output) if args.output else folder_of(arch)
    if args.action == "show":
        image = load(folder)
    else:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--output {folder}: {error.strerror}") from error
        tui = not args.no_tui and find_spec("textual") is not None
        if not tui and not args.no_tui:
            tell("textual is not installed here, so the image has no interactive interface")
        image = build(Recipe(arch, args.flavour, args.suite, tui), folder, tell)
    if args.json:
        print_json({"schema": SCHEMA, "version": 1, **asdict(image), "folder": str(image.folder)})
    else:
        _print(image)
    return exits.HOLDS


def _print(image: Image) -> None:
    say(f"Linux {image.kernel} for {image.arch}, Python {image.python}, uvirtio {image.uvirtio}, in {image.folder}")
    for name, size in image.sizes.items():
        say(f"  {name:10}{size / 1e6:8.1f} MB")
    sys.stdout.flush()
