"""The command line. Each command is a module that is imported when it is the one that was asked for."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from types import ModuleType

from uvirtio import __version__
from uvirtio.errors import CannotRun, UsageError, UvirtioError

from . import exits, standard_files
from .interruption import Raised
from .parsing import Parser, near
from .telling import tell

__all__ = ["COMMANDS", "build_parser", "main", "parse"]

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
    "survive": "devices under load while the machine is paused, saved or moved: what do they lose",
    "explain": "what a statement demands, how it is judged, and what breaks it",
    "judge": "judge what check or suspend has recorded, without the device",
    "report": "render results again, compare several",
    "serve": "an emulated device for QEMU, over vfio-user",
    "image": "a guest with uvirtio in it that boots from memory, for any VMM",
    "boot": "start a VM with such a guest, and give its verdicts",
    "bench": "measured speed",
    "doctor": "is this machine ready, and if not, what to type",
    "completion": "the completions of a shell, to be sourced",
}

#: Command -> what may be typed.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "list": ("uvirtio list", "uvirtio list --json"),
    "show": ("uvirtio show 00:05.0", "uvirtio show emulated:net -v", "uvirtio show qemu:virtio-blk-pci --json"),
    "dump": ("uvirtio dump 00:05.0 -o before.json",),
    "diff": ("uvirtio diff before.json after.json",),
    "suspend": ("uvirtio suspend 00:05.0 --cycles 100", "uvirtio suspend emulated:blk --history run.history"),
    "check": (
        "uvirtio check 00:05.0",
        "uvirtio check emulated:blk emulated:net -o result.json -o result.xml",
        "uvirtio check qemu:virtio-net-pci --only pci,net --strict",
        "uvirtio check 'vhost-user:/run/b.sock?type=blk'",
    ),
    "survive": (
        "uvirtio survive emulated:blk emulated:net --events 50",
        "uvirtio survive qemu:rng qemu:blk --event migrate --seed 7 --picture moved.svg",
        "uvirtio survive 00:05.0 00:06.0",
    ),
    "explain": ("uvirtio explain V8", "uvirtio explain 2.1.2#1"),
    "judge": ("uvirtio judge run.history",),
    "report": ("uvirtio report result.json -o result.html", "uvirtio report a.json b.json"),
    "serve": ("uvirtio serve blk --socket /tmp/s --set size=64M", "uvirtio serve rng --socket /tmp/s --fault V4"),
    "bench": ("uvirtio bench ring", "uvirtio bench blk emulated:blk"),
    "bind": ("uvirtio bind 00:05.0", "uvirtio bind 00:05.0 --via vfio"),
    "restore": ("uvirtio restore --all",),
    "image": ("uvirtio image build", "uvirtio image build --arch aarch64 --flavour generic -o DIRECTORY"),
    "boot": (
        "uvirtio boot --vmm qemu -- -device virtio-rng-pci",
        "uvirtio boot --vmm qemu-q35 --run 'check --only core' --run 'suspend --cycles 20' --jobs 2 -- -device virtio-rng-pci",
        "uvirtio boot --command 'my-vmm --kernel {kernel} --initrd {initrd} --append {cmdline}'",
    ),
    "completion": ("source <(uvirtio completion bash)", "uvirtio completion fish | source"),
}

#: module -> the package that brings it: what is imported only where it is used. Debian's is python3-MODULE.
PACKAGES = {"rich": "rich", "pyudev": "pyudev", "periphery": "python-periphery"}

#: Commands that drive the device which their ``locator`` names.
DRIVING = frozenset({"suspend", "check", "survive", "bench"})


def _wanted(argv: Sequence[str]) -> str | None:
    return next((word for word in argv if word in COMMANDS), None)


def _module(command: str) -> ModuleType:
    return import_module(f"{__package__}.commands.{command}")


def build_parser(argv: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The parser; only the command that ``argv`` names gets its options (None: all do, for documentation)."""
    parser = Parser(
        prog="uvirtio",
        description="See virtio-PCI devices, drive them, and judge their suspend and resume.",
        epilog="Exit status: 0 it holds, 1 a verdict failed, 2 usage, 3 cannot run here, 4 SUSPEND is not offered, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"uvirtio {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = None if argv is None else _wanted(argv)
    for name, help_text in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=help_text,
            description=help_text[0].upper() + help_text[1:] + ".",
            examples=EXAMPLES.get(name, ()),
        )
        if argv is None or name == wanted:
            _module(name).add_arguments(sub)
    return parser


def parse(words: list[str]) -> argparse.Namespace:
    """The options of a command line. Ends the process with the usage where it cannot be understood, after help and version."""
    parser = build_parser(words)
    if not words:
        parser.print_help()
        raise SystemExit(exits.HOLDS)
    if words[0] not in COMMANDS:
        if not words[0].startswith("-"):
            parser.error(f"there is no command {words[0]!r}{_meant(words[0])}")
        return parser.parse_args(words)
    command = next(action for action in parser._actions if action.dest == "command")
    assert isinstance(command.choices, dict)
    sub: Parser = command.choices[words[0]]
    return sub.parse_words(words[1:], argparse.Namespace(command=words[0]))


def _meant(word: str) -> str:
    """What somebody may have meant who named no command."""
    if hint := near(word, COMMANDS):
        return hint
    if ":" in word or "." in word:
        return f"; did you mean `uvirtio show {word}`, or check, or suspend?"
    return f"; choose from {', '.join(COMMANDS)}"


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
    args = parse(words)
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
            module = (error.name or "").partition(".")[0]
            if (package := PACKAGES.get(module)) is None:
                raise
            raise CannotRun(
                f"the Python package {package} is not installed: pip install {package}, on Debian apt install python3-{module}"
            ) from error

    return named


def _supervised(run: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Run a command that drives devices: real ones in a worker process, whose end, however sudden, is survived."""
    named = [args.locator] if getattr(args, "locator", None) is not None else getattr(args, "locators", [])
    if getattr(args, "jobs", 1) > 1:
        return run(args)  # which has each device supervised in the process that drives it
    # Imported here: `uvirtio --version` shall cost what Python costs.
    from .supervision import supervised

    return supervised(named, partial(run, args))
