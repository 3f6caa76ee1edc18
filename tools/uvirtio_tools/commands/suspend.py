"""``uvirtio suspend``: the main job. Initialise, drive, suspend, hold, resume, and prove that nothing was lost."""

from __future__ import annotations

import argparse
import json
import sys

from uvirtio.errors import UvirtioError

from .. import exits
from ..driving.opening import open_device
from ..driving.options import RunOptions, feature_bits
from ..judging.history import History
from ..judging.history_file import recording
from ..judging.suspend_run import SuspendRun
from ..judging.verdict import Verdict
from ..reports.cycles import TerminalReport
from ..scenarios.cycling import run_cycles
from ..telling import tell
from .arguments import (
    add_common,
    add_detail,
    add_device,
    add_history,
    add_interrupts,
    add_suspend_options,
    add_workload_options,
    detail_of,
    positive_integer,
)

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``uvirtio suspend``."""
    add_device(parser)
    add_suspend_options(parser)
    parser.add_argument("--cycles", metavar="N", type=positive_integer, default=1, help="how often (default: 1)")
    parser.add_argument(
        "--workload", default="auto", choices=("auto", "none"),
        help="traffic during the cycles: the device type's own, or none, which judges the status alone (default: auto)",
    )  # fmt: skip
    add_interrupts(parser)
    add_workload_options(parser)
    add_history(parser)
    add_detail(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """The command."""
    result = SuspendRun(args.locator)
    options = RunOptions(
        dialect=args.dialect, without=feature_bits(args.without), traffic=args.workload != "none", scratch=args.scratch,
        peer=args.peer, pairs=args.pairs, timeout=args.timeout, hold=args.hold, cycles=args.cycles, interrupts=args.interrupts,
    )  # fmt: skip
    reporter = None if args.json else TerminalReport(args.cycles, detail_of(args))
    try:
        with (
            open_device(
                args.locator, trace=args.trace, timeout=args.timeout, recorder=History, force=args.force
            ) as device,
            recording(args.history, device, result.recorded),
        ):
            result.locator = device.function.locator
            run_cycles(result, device, options, progress=reporter.cycle if reporter else None)
    except KeyboardInterrupt:
        result.verdict, result.status = Verdict.ERROR, exits.INTERRUPTED
        result.reason = f"interrupted after {len(result.cycles)} of {args.cycles} cycles; the device has been reset"
    except UvirtioError as error:
        if not result.reason:
            raise
        # Everything was found out, and only giving the device back went wrong.
        result.remarks.append(str(error))
        result.status = result.status or exits.FAILED
        tell(error)
    finally:
        if reporter:
            reporter.close()
    if args.json:
        json.dump(result.to_json(), sys.stdout, indent=2)
        sys.stdout.write("\n")
    elif reporter:
        reporter.report(result)
    if result.status == exits.NOT_OFFERED:
        tell(result.reason)
    return result.status
