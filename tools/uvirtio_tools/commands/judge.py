"""``uvirtio judge``: the verdicts on histories that ``check`` or ``suspend`` has written, without the device."""

from __future__ import annotations

import argparse

from .. import exits
from ..judging.history_file import read_history
from ..judging.judge import Judge
from ..judging.result import CheckRun
from ..reports.writing import show
from ..statements import every_judgement, select
from .arguments import add_common, add_report_options, add_statements, outputs_of, statements_of

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``uvirtio judge``."""
    parser.add_argument(
        "histories", metavar="HISTORY", nargs="+", help="files that check or suspend has written by --history"
    )
    add_statements(parser)
    add_report_options(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """The command: the worst exit status of all, 2 for a file that is none, is damaged, or is newer."""
    outputs, only = outputs_of(args), statements_of(args)
    runs = [_judge(path, only, strict=args.strict) for path in args.histories]
    show([each.to_json() for each in runs], outputs)
    return exits.worst(each.status for each in runs)


def _judge(path: str, only: list[str], *, strict: bool) -> CheckRun:
    setting, windows, recorded = read_history(path)
    result = CheckRun.of(recorded, setting, strict=strict, only=only or recorded.only)
    ids = select(result.only)
    judge = Judge(every_judgement(), setting, strict=strict)
    for window in windows:
        judge.hear(window)
        result.transitions += window.transitions
    result.results = judge.results(ids, unheard=result.stopped, interrupted=result.interrupted)
    return result
