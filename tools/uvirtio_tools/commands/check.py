"""``uvirtio check``: a verdict for every statement about suspend, with what it rests on."""

from __future__ import annotations

import argparse
import sys

from uvirtio.bus.locator import parse
from uvirtio.bus.opening import open_function
from uvirtio.errors import NotVirtio, UsageError, UvirtioError

from .. import exits
from ..driving.opening import open_device
from ..driving.options import RunOptions, feature_bits
from ..judging.history import History
from ..judging.history_file import recording
from ..judging.result import CheckRun
from ..reports.catalogue import catalogue
from ..reports.progress import CheckProgress
from ..reports.writing import emit, show
from ..scenarios.running import run_checks
from ..scenarios.undriven import judge_undriven
from .arguments import (
    add_common,
    add_device,
    add_history,
    add_known,
    add_report_options,
    add_statements,
    add_suspend_options,
    add_workload_options,
    format_of,
    news_of,
    output_of,
    positive_integer,
    statements_of,
    tell,
)

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``uvirtio check``."""
    add_device(parser, optional=True)
    add_suspend_options(parser)
    add_statements(parser)
    parser.add_argument("--list", action="store_true", help="print the catalogue of statements; needs no device")
    parser.add_argument(
        "--cycles", metavar="N", type=positive_integer, help="suspends of the stress check (default: 10)"
    )
    parser.add_argument(
        "--seed", metavar="S", type=int, default=0, help="start of the stress check's random sequence (default: 0)"
    )
    parser.add_argument(
        "--trigger-command", metavar="CMD",
        help="how the host side is asked for something: the shell runs CMD NAME JSON, where NAME is change_config, set_link, "
        'send_traffic, delay (JSON {"seconds": S}; null instead of S: as when the device was started) ...',
    )  # fmt: skip
    add_workload_options(parser)
    parser.add_argument(
        "--provoke", action="store_true",
        help="make a device of this machine fail by a buffer at an address where no memory is (V14); may do harm where "
        "the address is not refused (default: only on devices that are emulated)",
    )  # fmt: skip
    add_history(parser)
    add_report_options(parser)
    add_known(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """The command."""
    format_ = format_of(args)
    output = output_of(args)
    if args.list:
        emit(catalogue(as_json=format_ == "json"), output)
        return exits.HOLDS
    if args.locator is None:
        raise UsageError("check needs a LOCATOR, or --list")
    only, known = statements_of(args), news_of(args)
    options = RunOptions(
        dialect=args.dialect, without=feature_bits(args.without), scratch=args.scratch, peer=args.peer, pairs=args.pairs,
        timeout=args.timeout, hold=args.hold, cycles=args.cycles or 0, seed=args.seed, strict=args.strict,
        provoke=args.provoke,
    )  # fmt: skip
    triggers = None
    if args.trigger_command is not None:
        from ..driving.triggers import CommandTriggers

        triggers = CommandTriggers(args.trigger_command, args.timeout)
    result = CheckRun(
        args.locator, strict=args.strict, timeout=args.timeout, hold=args.hold, cycles=args.cycles or 0, seed=args.seed,
        only=only,
    )  # fmt: skip
    progress = CheckProgress()
    try:
        with (
            open_device(
                args.locator, trace=args.trace, timeout=args.timeout, recorder=History, force=args.force
            ) as device,
            recording(args.history, device, result.recorded),
        ):
            run_checks(result, device, options, triggers=triggers, progress=progress.result)
    except KeyboardInterrupt:
        result.interrupted = True
    except NotVirtio as error:
        if not _judged_undriven(result, error, force=args.force):
            raise
    except UvirtioError as error:
        if not result.results:
            raise
        # Everything was found out, and only giving the device back went wrong.
        result.stopped = result.stopped or str(error)
    finally:
        progress.close()
    document = result.to_json()
    show([document], format_, output)
    if result.not_offered:
        print(f"uvirtio: {result.not_offered}", file=sys.stderr)
    elif result.interrupted:
        print("uvirtio: interrupted; the device has been reset and given back", file=sys.stderr)
    elif result.stopped:
        print(f"uvirtio: {result.stopped}", file=sys.stderr)
    if known is None or result.status not in (exits.HOLDS, exits.FAILED):
        return result.status
    news = known(document)
    tell(news)
    return exits.FAILED if news.worse or result.stopped else exits.HOLDS


def _judged_undriven(result: CheckRun, error: NotVirtio, *, force: bool) -> bool:
    """Whether a device that cannot be driven, because of this error, can be judged by what it shows all the same."""
    with open_function(parse(result.locator), force=force) as function:
        return judge_undriven(result, function, str(error))
