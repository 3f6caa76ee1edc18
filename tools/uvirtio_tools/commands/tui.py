"""``uvirtio tui``: inspect and drive devices interactively. Textual is imported only when it runs."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from uvirtio.errors import CannotRun, UsageError

from .. import exits
from ..inspect.keys import require_terminal
from ..interruption import Handled
from .arguments import add_common, add_from, add_interrupts

__all__ = ["add_arguments", "run"]

#: The first major version of Textual that has what is used.
_TEXTUAL = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``tui``."""
    parser.add_argument("locators", metavar="LOCATOR", nargs="*", help="devices; without any, those of this machine")
    add_from(parser)
    add_interrupts(parser)
    add_common(parser)


def _require_textual() -> None:
    if find_spec("textual") is None:
        there = "is not installed"
    else:
        from importlib.metadata import PackageNotFoundError, version

        try:
            installed = version("textual")
        except PackageNotFoundError:
            return  # packed with this program, by whoever knew which one
        if int(installed.partition(".")[0]) >= _TEXTUAL:
            return
        there = f"{installed} is too old"
    raise CannotRun(
        f"textual {there}, and the interface needs {_TEXTUAL}.0 or newer, which Debian 12 and 13 do not have: "
        "pip install 'uvirtio[tui]', or run uvirtio.pyz, which brings it; `uvirtio watch` shows devices live without it"
    )


def run(args: argparse.Namespace) -> int:
    """Show the interface until the user leaves; returns the exit status."""
    if args.json:
        raise UsageError("the interface has no JSON; `uvirtio list --json` and `uvirtio show --json` have")
    _require_textual()
    require_terminal("uvirtio tui", "`uvirtio list` and `uvirtio show` need none")
    from uvirtio.bus.locator import parse

    from ..inspect.live import LiveMachine
    from ..tui.app import Inspector

    for locator in args.locators:
        parse(locator)  # what cannot be understood is said before the screen is taken
    if args.snapshot is not None:
        from ..inspect.snapshot import load

        machine = LiveMachine(fixed=load(args.snapshot).devices)
    else:
        machine = LiveMachine(named=args.locators)
    app = Inspector(machine, interrupts=args.interrupts)
    try:
        # Nothing is raised in the midst of it: it leaves as by a key, and puts the terminal back.
        with Handled(lambda _number: app.interrupt()):
            app.run(mouse=False)
    finally:
        machine.close()
    if app.interrupted:
        raise KeyboardInterrupt
    return exits.FAILED if app.return_code else exits.HOLDS
