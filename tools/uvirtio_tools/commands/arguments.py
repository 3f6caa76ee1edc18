"""Argument types and options that several commands share."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from uvirtio.errors import LocatorError, UsageError

from .. import telling
from ..named_files import STANDARD_OUTPUT, check_writable, read_text

if TYPE_CHECKING:
    from ..reports.document import Document
    from ..reports.known import News
    from ..reports.writing import Output

__all__ = [
    "add_common",
    "add_detail",
    "add_device",
    "add_force",
    "add_from",
    "add_history",
    "add_interrupts",
    "add_intrusive",
    "add_known",
    "add_report_options",
    "add_statements",
    "add_suspend_options",
    "add_via",
    "add_without",
    "add_workload_options",
    "detail_of",
    "machine_device",
    "news_of",
    "outputs_of",
    "positive_integer",
    "sectors",
    "seconds",
    "statements_of",
    "tell",
]


#: How the file of a result ends, and the format that this asks for.
_ENDINGS = {
    ".json": "json", ".xml": "junit", ".tap": "tap", ".ktap": "tap", ".md": "markdown", ".markdown": "markdown",
    ".html": "html", ".htm": "html", ".txt": "rich", ".log": "rich",
}  # fmt: skip


def positive_integer(text: str) -> int:
    """An integer of at least 1."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is too small; at least 1 is needed")
    return value


def seconds(*, zero: bool) -> Callable[[str], float]:
    """A finite number of seconds, above 0 (or from 0 on, where ``zero``)."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
        if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
            least = "0 or more" if zero else "more than 0"
            raise argparse.ArgumentTypeError(f"{text} is not possible; {least} seconds are needed, and a finite number")
        return value

    return parse


def sectors(text: str) -> range:
    """``FIRST-LAST``, two sector numbers, both included."""
    first, dash, last = text.partition("-")
    if not (dash and first.isdecimal() and last.isdecimal()):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not FIRST-LAST, two sector numbers (of 512 bytes) such as 2048-4095"
        )
    if int(last) < int(first):
        raise argparse.ArgumentTypeError(f"{text}: the last sector lies before the first")
    return range(int(first), int(last) + 1)


def machine_device(text: str) -> str:
    """What ``uio:``, ``vfio:`` or no scheme at all names, for commands that concern this machine's own devices alone.

    Raises :class:`LocatorError` for a locator of another bus.
    """
    from uvirtio.bus.locator import OF_THIS_MACHINE, SCHEMES

    scheme, colon, target = text.partition(":")
    if colon and scheme in SCHEMES and scheme not in OF_THIS_MACHINE:
        raise LocatorError(
            f"{text} is not a device of this machine's PCI bus: there is no driver that it could be taken from or given "
            "back to; name it as `uvirtio list` does"
        )
    return target if colon and scheme in OF_THIS_MACHINE else text


def add_common(parser: argparse.ArgumentParser) -> None:
    """``--json``: on every command."""
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, nothing else there")


def add_device(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """A locator and what goes with driving it; ``several``: ``locators``, any number of them."""
    help_ = "a device: 00:05.0, virtio3, vfio:00:05.0, emulated:rng, qemu:rng, vfio-user:PATH"
    if several:
        parser.add_argument("locators", metavar="LOCATOR", nargs="*", help=help_)
    else:
        parser.add_argument("locator", metavar="LOCATOR", help=help_)
    add_force(parser)
    add_via(parser)
    parser.add_argument(
        "--trace", metavar="FILE", help="write every register access as one JSON line to FILE (- is stderr)"
    )
    add_without(parser)


def add_force(parser: argparse.ArgumentParser) -> None:
    """``--force``: where a device is taken."""
    parser.add_argument("--force", action="store_true", help="take a device although something uses it")


def add_via(parser: argparse.ArgumentParser) -> None:
    """``--via``: by which driver a PCI function of this machine is reached."""
    parser.add_argument(
        "--via",
        choices=("uio", "vfio"),
        default="uio",
        help="the driver for a device that is named by its address: uio_pci_generic, or vfio-pci, which needs an IOMMU; "
        "vfio:00:05.0 says the same (default: uio)",
    )


def add_without(parser: argparse.ArgumentParser) -> None:
    """``--without``: where features are negotiated."""
    parser.add_argument(
        "--without", metavar="FEATURE", action="append", default=[],
        help="do not negotiate this feature: a bit number or a name such as RING_PACKED (repeatable)",
    )  # fmt: skip


def add_suspend_options(parser: argparse.ArgumentParser) -> None:
    """Dialect and time limits."""
    parser.add_argument(
        "--dialect", default="auto", choices=("auto", "1.4", "chromium", "rfc"),
        help="which SUSPEND to use; auto goes by what the device offers and never picks rfc (default: auto)",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=seconds(zero=False), default=10.0,
        help="longest time that the device may take for one step (default: 10)",
    )  # fmt: skip
    parser.add_argument(
        "--hold", metavar="SECONDS", type=seconds(zero=True), default=0.2,
        help="how long the device stays suspended (default: 0.2)",
    )  # fmt: skip


def add_interrupts(parser: argparse.ArgumentParser) -> None:
    """``--interrupts``: where a device notifies."""
    from ..driving.options import INTERRUPTS

    parser.add_argument(
        "--interrupts", choices=INTERRUPTS, default="auto",
        help="how the device notifies: intx (with ISR), msix (messages), none (ISR is polled); auto judges by each way that "
        "the device has, and for anything else takes intx, or msix where there is none (default: auto)",
    )  # fmt: skip


def add_workload_options(parser: argparse.ArgumentParser) -> None:
    """What traffic may touch, and who is at its other end; for :func:`~uvirtio_tools.driving.options.workload_options`."""
    parser.add_argument(
        "--scratch", metavar="FIRST-LAST", type=sectors,
        help="sectors (of 512 bytes) of a block device that may be overwritten (default: on somebody's disk nothing is "
        "written)",
    )  # fmt: skip
    parser.add_argument(
        "--peer", choices=("echo", "none"),
        help="what is at the other end of a network or console device: echo sends everything back (default: what the "
        "locator says)",
    )  # fmt: skip
    parser.add_argument(
        "--pairs", metavar="N", type=positive_integer,
        help="how many queue pairs of a network device carry the traffic (default: all that the device has, up to 4)",
    )  # fmt: skip


def add_history(parser: argparse.ArgumentParser) -> None:
    """``--history``: where a device is judged."""
    parser.add_argument(
        "--history", metavar="FILE",
        help="write all that was done and seen to FILE, which `uvirtio judge` judges again without the device",
    )  # fmt: skip


def add_statements(parser: argparse.ArgumentParser) -> None:
    """``--only``, ``--skip`` and ``--strict``; :func:`statements_of` takes the first two."""
    parser.add_argument(
        "--only", metavar="IDS", action="append", default=[],
        help="judge these statements only: V1,V4, a whole family such as V, or a chapter: suspend, pci, blk, core ... (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--skip",
        metavar="IDS",
        action="append",
        default=[],
        help="leave these out, named in the same ways (repeatable)",
    )
    parser.add_argument("--strict", action="store_true", help="a SHOULD that is broken is a FAIL, not a WARN")


def statements_of(args: argparse.Namespace) -> list[str]:
    """The words that name statements, none for all of them. Raises :class:`UsageError` for one that there is not."""
    from ..statements import select

    only = [word for words in args.only for word in words.split(",") if word.strip()]
    if args.only and not only:
        raise UsageError("--only names no statement")
    skip = [word for words in args.skip for word in words.split(",") if word.strip()]
    found = select(only, skip)
    if not found:
        raise UsageError("--skip leaves no statement to judge")
    return found if skip else only


def add_from(parser: argparse.ArgumentParser) -> None:
    """``--from FILE``: read a snapshot instead of a device."""
    parser.add_argument(
        "--from", dest="snapshot", metavar="FILE", help="read this snapshot (of `uvirtio dump`) instead of a device"
    )


def add_intrusive(parser: argparse.ArgumentParser) -> None:
    """``--intrusive``: look behind a kernel driver."""
    parser.add_argument(
        "--intrusive",
        action="store_true",
        help="read a device that a kernel driver holds through its PCI_CFG window; this writes selectors under the driver",
    )


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """``--format`` and ``--output``; :func:`outputs_of` takes these."""
    from ..reports import FORMATS

    parser.add_argument(
        "--format",
        choices=tuple(FORMATS),
        action="append",
        default=[],
        help="how the result is written (default: as the ending of --output says, json with --json, else rich; repeatable)",
    )
    parser.add_argument(
        "--output", "-o", metavar="FILE", action="append", default=[],
        help="where it is written (default: standard output; repeatable)",
    )  # fmt: skip
    add_detail(parser)


def add_detail(parser: argparse.ArgumentParser) -> None:
    """``--quiet`` and ``--verbose``: how much is said where a person reads; :func:`detail_of` takes these."""
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("-q", "--quiet", action="store_true", help="say the verdict only, and show no progress")
    how_much.add_argument(
        "-v", "--verbose", action="store_true", help="say everything: each statement's remarks, each cycle"
    )


def detail_of(args: argparse.Namespace) -> int:
    """-1: the verdict only, 0: what is wrong as well, 1: everything."""
    return 1 if args.verbose else -1 if args.quiet else 0


def add_known(parser: argparse.ArgumentParser) -> None:
    """``--baseline`` and ``--expect``; :func:`news_of` takes these."""
    parser.add_argument(
        "--baseline",
        metavar="RESULT",
        help="an earlier result: status 1 only for what is worse than then, and what is better is told",
    )
    parser.add_argument(
        "--expect", metavar="FILE",
        help="known deviations, a line each (V13 FAIL why): status 1 only for others, and one that does not show any more is told",
    )  # fmt: skip


def news_of(args: argparse.Namespace) -> Callable[[Mapping[str, Any]], News] | None:
    """What a result has that is not known; None where nothing was said to be. Reads the files now, not after the work.

    Raises :class:`UsageError`, :class:`SnapshotError`.
    """
    from ..reports import known
    from ..reports.document import load

    if args.baseline and args.expect:
        raise UsageError("--baseline and --expect exclude each other")
    if args.baseline:
        before = load(args.baseline)
        return lambda document: known.against_baseline(document, _same_device(document, before, args.baseline))
    if args.expect:
        try:
            expected = known.read_expected(read_text(args.expect), args.expect)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--expect {args.expect}: cannot be read: {error}") from error
        return lambda document: known.against_expected(document, expected)
    return None


def _same_device(now: Mapping[str, Any], before: list[Document], path: str) -> Document:
    """The earlier result that this one is held against: the only one, or that of the same locator."""
    if len(before) == 1:
        return before[0]
    found = [document for document in before if document["locator"] == now["locator"]]
    if len(found) != 1:
        raise UsageError(f"--baseline {path}: {len(found)} of its {len(before)} results are of {now['locator']}")
    return found[0]


def tell(news: News) -> None:
    """On standard error: what is worse, then what is better."""
    for sentence in (*news.worse, *(f"{sentence} (better)" for sentence in news.better)):
        telling.tell(sentence)


def outputs_of(args: argparse.Namespace) -> list[Output]:
    """Where the result goes and how it is written there; standard output where no file is named.

    As many formats as files belong to each other in order; one format, or none, leaves to each file what its ending says.
    Raises :class:`UsageError` for formats that do not fit, and for a file that cannot be written: now, not after the work.
    """
    from ..reports.writing import Output

    paths: list[str] = args.output or [STANDARD_OUTPUT]
    formats: list[str] = args.format + (["json"] if args.json and "json" not in args.format else [])
    if args.json and len(formats) > 1:
        raise UsageError(f"--json and --format {args.format[0]} exclude each other")
    if len(formats) > 1 and len(formats) != len(paths):
        raise UsageError(
            f"--format is given {len(formats)} times and --output {len(args.output)} times; each file takes one format"
        )
    if doubled := [path for path in dict.fromkeys(paths) if paths.count(path) > 1]:
        raise UsageError(f"--output {doubled[0]} is given more than once")
    if len(formats) != len(paths):
        formats = [_by_ending(path, formats[0] if formats else "") for path in paths]
    for path in paths:
        if path != STANDARD_OUTPUT:
            check_writable("--output", path)
    detail = detail_of(args)
    return [
        Output(format_, None if path == STANDARD_OUTPUT else path, detail)
        for format_, path in zip(formats, paths, strict=True)
    ]


def _by_ending(path: str, otherwise: str) -> str:
    """The format that the ending of a file asks for. Raises :class:`UsageError` for one that asks for another than there is."""
    ending = os.path.splitext(path)[1].lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    if otherwise or not ending or path.startswith("/dev/"):
        return otherwise or "rich"
    raise UsageError(
        f"--output {path}: {ending} says no format; end it in one of {', '.join(_ENDINGS)}, or say --format"
    )
