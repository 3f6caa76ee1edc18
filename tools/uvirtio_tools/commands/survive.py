"""``uvirtio survive``: devices under load while the host pauses, saves or moves the machine, and a verdict on what they lost."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from uvirtio.bus.locator import parse
from uvirtio.errors import CannotRun, DeviceError, NotOffered, UsageError

from ..driving.opening import open_device
from ..driving.options import RunOptions, feature_bits
from ..driving.triggers import run_shell
from ..judging.history import History
from ..judging.history_file import recording
from ..judging.survive_run import DeviceRun, SurviveRun
from ..named_files import check_writable, open_for_writing
from ..reports.survival import LiveTimeline, picture, render
from ..scenarios.enduring import EVENTS, Plan, Survivor, endure
from .arguments import (
    add_common,
    add_device,
    add_history,
    add_interrupts,
    add_suspend_options,
    add_workload_options,
    positive_integer,
    seconds,
)

__all__ = ["add_arguments", "run"]

#: Events where neither their number nor a time is given, and somebody can be asked for them.
_EVENTS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``uvirtio survive``."""
    add_device(parser, several=True)
    parser.add_argument(
        "--for",
        dest="time",
        metavar="SECONDS",
        type=seconds(zero=False),
        default=0.0,
        help="how long (default: until --events, or Ctrl-C)",
    )
    parser.add_argument(
        "--events", metavar="N", type=positive_integer, default=0,
        help=f"how many events (default: {_EVENTS} where the host side can be asked for them, else until --for, or Ctrl-C)",
    )  # fmt: skip
    parser.add_argument(
        "--event", metavar="NAME[=COMMAND]", action="append", default=[],
        help=f"one of {', '.join(EVENTS)}, as far as the bus has it; or any name and what the shell runs for it on this machine "
        "(repeatable; default: all that save, move or stop the device)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", metavar="S", type=int, default=0, help="start of the random sequence of events (default: 0)"
    )
    parser.add_argument(
        "--suspend",
        action="store_true",
        help="suspend the device before each event and resume it after, as a hypervisor would",
    )
    parser.add_argument("--picture", metavar="FILE", help="write the timeline as an SVG")
    add_suspend_options(parser)
    add_interrupts(parser)
    add_workload_options(parser)
    add_history(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """The command."""
    if not args.locators:
        raise UsageError("survive needs a LOCATOR")
    for locator in args.locators:
        parse(locator)
    if len(args.locators) > 1 and (args.history or args.trace):
        raise UsageError("--history and --trace keep one device's records; name one device")
    if args.picture:
        check_writable("--picture", args.picture)
    plan = _plan(args)
    options = RunOptions(
        dialect=args.dialect, without=feature_bits(args.without), scratch=args.scratch, peer=args.peer, pairs=args.pairs,
        timeout=args.timeout, hold=args.hold, interrupts=args.interrupts, seed=args.seed,
    )  # fmt: skip
    result = SurviveRun(args.seed, args.events, args.suspend)
    try:
        with ExitStack() as stack:
            survivors = [_open(stack, locator, result, options, args) for locator in args.locators]
            live = LiveTimeline()
            live.begin(len(survivors))
            endure(result, survivors, _filled(plan, survivors), live)
    except KeyboardInterrupt:
        # An open end ends so; what was found out until then is told.
        result.interrupted = True
    document = result.to_json()
    if args.picture:
        with open_for_writing("--picture", args.picture) as file:
            file.write(picture(result))
    if args.json:
        json.dump(document, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        render(document)
    return result.status


def _plan(args: argparse.Namespace) -> Plan:
    named = [each.partition("=") for each in args.event]
    commands = {name: partial(run_shell, command, args.timeout) for name, equals, command in named if equals}
    chosen = tuple(name for name, equals, _ in named if not equals)
    if unknown := [name for name in chosen if name not in EVENTS]:
        raise UsageError(f"--event {unknown[0]}: there are {', '.join(EVENTS)}; any other name needs =COMMAND")
    if commands and chosen:
        raise UsageError("--event takes names that the bus has, or names with commands, not both")
    return Plan(args.events, args.time, args.seed, args.suspend, chosen, commands)


def _filled(plan: Plan, survivors: list[Survivor]) -> Plan:
    """The plan with what was not said. Raises :class:`CannotRun` for an event that no bus here has."""
    can = {name for each in survivors for name in each.can()}
    if missing := [name for name in plan.names if name not in can]:
        raise CannotRun(
            f"--event {missing[0]}: nobody here can be asked for it, only for {', '.join(sorted(can)) or 'nothing'}"
        )
    events = plan.events
    if not events and not plan.seconds and (can or plan.commands):
        events = _EVENTS
    return replace(plan, events=events)


def _open(
    stack: ExitStack, locator: str, result: SurviveRun, options: RunOptions, args: argparse.Namespace
) -> Survivor:
    device_run = DeviceRun(locator)
    device = stack.enter_context(
        open_device(locator, trace=args.trace, timeout=args.timeout, recorder=History, force=args.force)
    )
    known = partial(device_run.recorded, result.started, result.machine, result.seed)
    stack.enter_context(recording(args.history, device, known))
    try:
        survivor = Survivor(device_run, device, options)
    except DeviceError as error:
        raise CannotRun(f"{locator} does not do ordinary work, so nothing can be lost: {error}") from error
    result.devices.append(device_run)
    if args.suspend and device_run.not_offered:
        raise NotOffered(f"{locator}: {device_run.not_offered}")
    device_run.not_offered = ""
    return survivor
