"""``uvirtio report``: renders results again, and compares several."""

from __future__ import annotations

import argparse

from .. import exits
from ..reports import load
from ..reports.writing import show
from .arguments import add_common, add_known, add_report_options, news_of, outputs_of, tell

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``uvirtio report``."""
    parser.add_argument(
        "results", metavar="RESULT", nargs="+", help="files that uvirtio check --format json has written"
    )
    add_report_options(parser)
    add_known(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """The command: 1 where a verdict failed (``--baseline``, ``--expect``: in a way that is not known), else 0.

    2 for a file that is none, is damaged, or is newer.
    """
    outputs, known = outputs_of(args), news_of(args)
    documents = [document for path in args.results for document in load(path)]
    show(documents, outputs)
    if known is None:
        return exits.FAILED if any(document["verdict"] in ("FAIL", "ERROR") for document in documents) else exits.HOLDS
    every = [known(document) for document in documents]
    for news in every:
        tell(news)
    return exits.FAILED if any(news.worse for news in every) else exits.HOLDS
