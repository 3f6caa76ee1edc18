"""The command line. Each command is a module that is imported when it is the one that was asked for."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from uvirtio import __version__
from uvirtio.errors import CannotRun, UsageError, UvirtioError
from uvirtio.foreign import printable

from . import exits, standard_files
from .interruption import Raised
from .telling import tell

__all__ = ["COMMANDS", "build_parser", "main"]

#: Each is a module of the same name in ``commands``, with what it does. The order is that of the help.
COMMANDS: dict[str, str] = {
    "list": "every virtio PCI function of this machine",
    "show": "everything that one device says",
    "dump": "a snapshot of a device, for a bug report",
    "diff": "what changed between two snapshots",
    "watch": "a device, live",
    "tui": "inspect and drive devices interactively",
    "bind": "take devices for uio_pci_generic or vfio-pci",
    "restore": "give devices back to their drivers",
    "suspend": "suspend and resume a device under load, and prove that nothing was lost",
    "check": "the conformance checks: a verdict per statement",
    "explain": "what a statement demands, how it is judged, and what breaks it",
    "judge": "judge what check or suspend has recorded, without the device",
    "report": "render results again, compare several",
    "serve": "an emulated device for QEMU, over vfio-user",
    "bench": "measured speed",
    "doctor": "is this machine ready, and if not, what to type",
}

#: module -> the package that brings it: what is imported only where it is used.
PACKAGES = {"rich": "rich", "rich_argparse": "rich-argparse", "pyudev": "pyudev", "periphery": "python-periphery"}

#: Commands that drive the device which their ``locator`` names.
DRIVING = frozenset({"suspend", "check", "bench"})


def _wanted(argv: Sequence[str]) -> str | None:
    return next((word for word in argv if word in COMMANDS), None)


def _module(command: str) -> ModuleType:
    return import_module(f"{__package__}.commands.{command}")


class _Parser(argparse.ArgumentParser):
    """Its errors quote the words, and a shell makes words of the names of others' files."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message, lines=True))


def build_parser(argv: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The parser; only the command that ``argv`` names gets its options (None: all do, for documentation)."""
    parser = _Parser(
        prog="uvirtio",
        description="See virtio-PCI devices, drive them, and judge their suspend and resume.",
        epilog="Exit status: 0 it holds, 1 a verdict failed, 2 usage, 3 cannot run here, 4 SUSPEND is not offered, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"uvirtio {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = None if argv is None else _wanted(argv)
    for name, help_text in COMMANDS.items():
        sub = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
        if argv is None or name == wanted:
            _module(name).add_arguments(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Errors become one sentence on stderr."""
    standard_files.fill()
    try:
        with standard_files.flushed():
            return _run(list(sys.argv[1:] if argv is None else argv))
    except standard_files.OutputLost as lost:
        if lost.status != exits.INTERRUPTED:
            tell(lost)
        return lost.status


def _run(words: list[str]) -> int:
    if words == ["--version"]:
        print(f"uvirtio {__version__}")  # the parser has it too; this is for scripts that ask often
        return exits.HOLDS
    args = build_parser(words).parse_args(words)
    signals = Raised()
    try:
        with signals:
            _apply_via(args)
            run = _naming_packages(_module(args.command).run)
            return _supervised(run, args) if args.command in DRIVING else run(args)
    except UvirtioError as error:
        tell(error)
        return exits.status_of(error) if signals.number is None else exits.INTERRUPTED
    except KeyboardInterrupt:
        return _interrupted(args, signals.number)
    except MemoryError:
        tell("there is not enough memory for that")
        return exits.CANNOT_RUN
    except Exception:
        # An interrupt may come out as another error: of a class that was being made, of a terminal that is gone.
        if signals.number is None:
            raise
        return _interrupted(args, signals.number)


def _interrupted(args: argparse.Namespace, number: int | None) -> int:
    if args.command == "serve" and number not in (None, signal.SIGINT):
        return exits.HOLDS  # that is how a server ends
    if args.command in ("bind", "restore"):
        tell("interrupted; what is still taken, `uvirtio restore --all` gives back")
    else:
        tell("interrupted; everything has been given back")
    return exits.INTERRUPTED


def _apply_via(args: argparse.Namespace) -> None:
    """``--via vfio``: the devices that are named by their addresses alone are those of that bus."""
    if getattr(args, "via", "uio") != "vfio" or args.command == "bind":
        return
    from dataclasses import replace

    from uvirtio.bus.locator import parse

    def moved(text: str) -> str:
        where = parse(text)
        if not where.of_this_machine:
            raise UsageError(f"--via vfio: {text} is not a PCI function of this machine, which vfio-pci could take")
        return str(replace(where, bus="vfio"))

    if getattr(args, "locator", None) is not None:
        args.locator = moved(args.locator)
    if getattr(args, "locators", None):
        args.locators = [moved(text) for text in args.locators]


def _naming_packages(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A command's ``run``, with a package that is not installed told as such: also where it runs in a worker."""

    def named(args: argparse.Namespace) -> int:
        try:
            return int(run(args))
        except ModuleNotFoundError as error:
            if (package := PACKAGES.get((error.name or "").partition(".")[0])) is None:
                raise
            raise CannotRun(f"the Python package {package} is not installed: pip install {package}") from error

    return named


def _supervised(run: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Run a command that drives devices: real ones in a worker process, whose end, however sudden, is survived."""
    # Imported here: `uvirtio --version` shall cost what Python costs.
    from uvirtio.bus.locator import parse

    named = [args.locator] if getattr(args, "locator", None) is not None else getattr(args, "locators", [])
    real = [where for where in map(parse, named) if where.of_this_machine]
    if not real:
        return run(args)
    from uvirtio.bus.uio.discovery import resolve

    from .supervisor import supervise

    work: Callable[[], int] = partial(run, args)
    for where in real:
        try:
            bdf = resolve(where.target)
        except UvirtioError:
            if len(named) == 1:
                raise
            continue  # it is told in its turn, and does not keep the others from theirs
        # One supervisor around another: each gives its own device back.
        work = partial(supervise, bdf, work)
    return work()
