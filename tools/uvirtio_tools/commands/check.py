"""``uvirtio check``: a verdict for every statement about suspend, with what it rests on."""

from __future__ import annotations

import argparse
import json
import os
from functools import partial
from typing import NamedTuple

from uvirtio.bus.locator import parse
from uvirtio.bus.opening import open_function
from uvirtio.errors import NotVirtio, UsageError, UvirtioError

from .. import exits, telling
from ..driving.opening import open_device
from ..driving.options import RunOptions, feature_bits
from ..judging.history import History
from ..judging.history_file import recording
from ..judging.result import CheckRun
from ..reports.catalogue import catalogue
from ..reports.document import Document
from ..reports.progress import CheckProgress
from ..reports.timing import Timing
from ..reports.writing import emit, show
from ..scenarios.running import run_checks
from ..scenarios.undriven import judge_undriven
from ..supervision import supervised
from .arguments import (
    add_common,
    add_device,
    add_history,
    add_interrupts,
    add_known,
    add_report_options,
    add_statements,
    add_suspend_options,
    add_workload_options,
    news_of,
    outputs_of,
    positive_integer,
    seconds,
    statements_of,
    tell,
)

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``uvirtio check``."""
    add_device(parser, several=True)
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
        "--budget", metavar="SECONDS", type=seconds(zero=False), default=0.0,
        help="how long the judging may take: what is left then is cut, and said (default: as long as it takes)",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", metavar="N", type=positive_integer, default=1,
        help="of several devices judge N at a time, each in a process of its own (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--timing", action="store_true", help="say where the time went, scenario by scenario, on standard error"
    )
    parser.add_argument(
        "--require-suspend", action="store_true", help="a device that does not offer SUSPEND fails: status 1"
    )
    parser.add_argument(
        "--trigger-command", metavar="CMD",
        help="how the host side is asked for something: the shell runs CMD NAME JSON, where NAME is change_config, set_link, "
        'send_traffic, delay (JSON {"seconds": S}; null instead of S: as when the device was started) ...',
    )  # fmt: skip
    add_interrupts(parser)
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
    """The command. Of several devices one that cannot be judged does not keep the others from it."""
    outputs = outputs_of(args)
    if args.list:
        if len(outputs) > 1:
            raise UsageError("--list is written once; give one --output")
        emit(catalogue(as_json=outputs[0].format == "json"), outputs[0].path)
        return exits.HOLDS
    if not args.locators:
        raise UsageError("check needs a LOCATOR, or --list")
    for locator in args.locators:
        parse(locator)  # what cannot be understood is said before anything is done
    if len(args.locators) > 1 and (args.history or args.trace):
        raise UsageError("--history and --trace keep one device's records; check the devices one by one")
    only, known = statements_of(args), news_of(args)
    outcomes = _side_by_side(args, only) if _several_at_once(args) else _one_by_one(args, only)
    documents = [each.document for each in outcomes]
    show(documents, outputs)
    for each in outcomes:
        if each.reason:
            telling.tell(f"{each.locator}: {each.reason}" if len(args.locators) > 1 else each.reason)
    statuses = [each.status for each in outcomes]
    if known is None or any(status not in (exits.HOLDS, exits.FAILED) for status in statuses):
        return exits.worst(statuses)
    news = [known(document) for document in documents]
    for told in news:
        tell(told)
    return exits.FAILED if any(told.worse for told in news) or any(each.stopped for each in outcomes) else exits.HOLDS


class _Outcome(NamedTuple):
    """What became of one device. ``reason``: why there is less than a full result."""

    locator: str
    document: Document
    status: int
    reason: str
    stopped: bool
    interrupted: bool


def _several_at_once(args: argparse.Namespace) -> bool:
    return bool(args.jobs > 1 and len(args.locators) > 1)


def _result_of(locator: str, args: argparse.Namespace, only: list[str]) -> CheckRun:
    return CheckRun(
        locator, strict=args.strict, timeout=args.timeout, hold=args.hold, cycles=args.cycles or 0, seed=args.seed,
        only=only, require_suspend=args.require_suspend,
    )  # fmt: skip


def _outcome(result: CheckRun, status: int | None = None) -> _Outcome:
    reason = result.not_offered or (
        "interrupted; the device has been reset and given back" if result.interrupted else result.stopped
    )
    status = result.status if status is None else status
    return _Outcome(
        result.locator, result.to_json(), status, reason or "", bool(result.stopped), bool(result.interrupted)
    )


def _judged(locator: str, args: argparse.Namespace, only: list[str]) -> _Outcome:
    """Judge one device. Where it is the only one, raises :class:`UvirtioError` where nothing could be judged."""
    result = _result_of(locator, args, only)
    options = RunOptions(
        dialect=args.dialect, without=feature_bits(args.without), scratch=args.scratch, peer=args.peer, pairs=args.pairs,
        timeout=args.timeout, hold=args.hold, cycles=args.cycles or 0, seed=args.seed, strict=args.strict,
        provoke=args.provoke, interrupts=args.interrupts, budget=args.budget,
    )  # fmt: skip
    try:
        _judge(result, options, args)
    except UvirtioError as error:
        if len(args.locators) == 1:
            raise
        result.stopped = str(error)
        return _outcome(result, exits.status_of(error))
    return _outcome(result)


def _one_by_one(args: argparse.Namespace, only: list[str]) -> list[_Outcome]:
    outcomes: list[_Outcome] = []
    for locator in args.locators:
        outcomes.append(_judged(locator, args, only))
        if outcomes[-1].interrupted:
            break
    return outcomes


def _side_by_side(args: argparse.Namespace, only: list[str]) -> list[_Outcome]:
    """The same with ``--jobs``; in the order in which the devices were named."""
    from ..jobs import Job, run_jobs

    def judge(locator: str, answer: int) -> int:
        outcome = _judged(locator, args, only)
        with os.fdopen(answer, "w", closefd=False) as file:
            json.dump(outcome, file)
        return outcome.status

    def work(locator: str, answer: int) -> int:
        return supervised([locator], partial(judge, locator, answer))

    found: dict[int, _Outcome] = {}
    jobs = [Job(number, locator, partial(work, locator)) for number, locator in enumerate(args.locators)]
    progress = CheckProgress(quiet=args.quiet)
    try:
        for ended in run_jobs(jobs, args.jobs):
            if ended.why:
                result = _result_of(ended.job.name, args, only)
                result.stopped = ended.why
                outcome = _outcome(result, exits.FAILED)
            else:
                outcome = _Outcome(*json.loads(ended.answer))
            found[ended.job.number] = outcome
            progress.note(f"{len(found)} of {len(jobs)}: {outcome.locator} {outcome.document['verdict']}")
    finally:
        progress.close()
    return [found[number] for number in sorted(found)]


def _judge(result: CheckRun, options: RunOptions, args: argparse.Namespace) -> None:
    """Judge one device and fill in its result. Raises :class:`UvirtioError` where nothing could be judged."""
    triggers = None
    if args.trigger_command is not None:
        from ..driving.triggers import CommandTriggers

        triggers = CommandTriggers(args.trigger_command, args.timeout)
    progress, timing = CheckProgress(quiet=args.quiet or _several_at_once(args)), Timing() if args.timing else None
    try:
        with (
            open_device(
                result.locator, trace=args.trace, timeout=args.timeout, recorder=History, force=args.force
            ) as device,
            recording(args.history, device, result.recorded),
        ):
            if timing is not None and isinstance(device.recorder, History):
                device.recorder.listeners.append(timing)
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
        if timing is not None:
            timing.show(result.locator)


def _judged_undriven(result: CheckRun, error: NotVirtio, *, force: bool) -> bool:
    """Whether a device that cannot be driven, because of this error, can be judged by what it shows all the same."""
    with open_function(parse(result.locator), force=force) as function:
        return judge_undriven(result, function, str(error))
