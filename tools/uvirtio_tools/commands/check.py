"""``uvirtio check``: a verdict for every statement about suspend, with what it rests on."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from uvirtio.errors import UsageError, UvirtioError
from uvirtio.spec.statements import STATEMENTS

from .. import exits
from ..checks import CheckResult, CheckRun, run_checks
from ..checks.registry import select
from ..driving.opening import feature_bits, open_device
from ..named_files import STANDARD_OUTPUT, check_writable, write_text
from ..reports import FORMATS, render
from .arguments import add_common, add_device, add_suspend_options, add_workload_options, positive_integer

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["add_arguments", "add_report_options", "emit", "format_of", "output_of", "run", "show"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``uvirtio check``."""
    add_device(parser, optional=True)
    add_suspend_options(parser)
    parser.add_argument(
        "--only", metavar="IDS", action="append", default=[],
        help="judge these statements only: V1,V4 or a whole family such as V (repeatable)",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="print the catalogue of statements; needs no device")
    parser.add_argument("--strict", action="store_true", help="a SHOULD that is broken is a FAIL, not a WARN")
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
    add_report_options(parser)
    add_common(parser)


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """``--format`` and ``--output``."""
    parser.add_argument(
        "--format", choices=tuple(FORMATS), help="how the result is written (default: rich, or json with --json)"
    )
    parser.add_argument("--output", "-o", metavar="FILE", help="where it is written (default: standard output)")


def output_of(args: argparse.Namespace) -> str | None:
    """The file that ``--output`` names, None for standard output. Raises now, not after the work, if it cannot be written."""
    path: str | None = args.output
    if path is None or path == STANDARD_OUTPUT:
        return None
    check_writable("--output", path)
    return path


def emit(text: str, path: str | None) -> None:
    """Write a report to its file, or to standard output."""
    if path is not None:
        write_text("--output", path, text)
        return
    sys.stdout.write(text)
    sys.stdout.flush()


def format_of(args: argparse.Namespace) -> str:
    """The format that was asked for. Raises :class:`UsageError` for two different ones."""
    if args.json and args.format not in (None, "json"):
        raise UsageError(f"--json and --format {args.format} exclude each other")
    return args.format or ("json" if args.json else "rich")


def show(documents: list[dict[str, object]], format_: str, path: str | None) -> None:
    """Render and write."""
    terminal = path is None and sys.stdout.isatty()
    width = None
    if terminal:
        width = os.get_terminal_size(sys.stdout.fileno()).columns or None
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = "utf-8" if path is not None else (sys.stdout.encoding or "utf-8")
    plain = encoding.lower() not in ("utf-8", "utf8")
    text = render(documents, format_, width=width, colour=colour, plain=plain)
    if plain:
        # A terminal of another encoding gets what it can show.
        text = text.encode(encoding, errors="replace").decode(encoding)
    emit(text, path)


def _list(args: argparse.Namespace, output: str | None) -> int:
    """The catalogue."""
    if args.json or args.format == "json":
        import json

        rows = [
            {
                "id": row.id, "level": row.level.value, "side": row.side.value, "text": row.text, "section": row.section,
                "dialects": list(row.dialects), "needs": [need.value for need in row.needs], "implies": list(row.implies),
                "deviates": list(row.deviates), "dangerous": row.dangerous,
            }
            for row in STATEMENTS.values()
        ]  # fmt: skip
        emit(json.dumps({"schema": "uvirtio/statements", "version": 1, "statements": rows}, indent=2) + "\n", output)
        return exits.HOLDS
    lines = []
    for row in STATEMENTS.values():
        lines.append(f"{row.id:4} {row.level.value:10} {row.side.value:6}  {row.text}")
        details = [f"{row.section}; dialect {', '.join(row.dialects)}"]
        if row.needs:
            details.append(f"needs {', '.join(need.value for need in row.needs)}")
        if row.implies:
            details.append(f"implies {', '.join(row.implies)}")
        if row.deviates:
            details.append(f"the driver deviates: {', '.join(row.deviates)}")
        lines.append(f"{'':24}{'; '.join(details)}")
    emit("\n".join(lines) + "\n", output)
    return exits.HOLDS


def run(args: argparse.Namespace) -> int:
    """The command."""
    format_ = format_of(args)
    output = output_of(args)
    if args.list:
        return _list(args, output)
    if args.locator is None:
        raise UsageError("check needs a LOCATOR, or --list")
    only = [word for words in args.only for word in words.split(",") if word.strip()]
    if args.only and not only:
        raise UsageError("--only names no statement")
    select(only)
    without = feature_bits(args.without)
    triggers = None
    if args.trigger_command is not None:
        from ..driving.triggers import CommandTriggers

        triggers = CommandTriggers(args.trigger_command, args.timeout)
    result = CheckRun(
        args.locator, strict=args.strict, timeout=args.timeout, hold=args.hold, cycles=args.cycles or 0, seed=args.seed,
        only=only,
    )  # fmt: skip
    progress = _Progress()
    try:
        with open_device(args.locator, trace=args.trace, timeout=args.timeout, record=True, force=args.force) as device:
            run_checks(
                result, device, dialect=args.dialect, without=without, triggers=triggers, scratch=args.scratch, peer=args.peer,
                pairs=args.pairs, provoke=args.provoke, progress=progress.result,
            )  # fmt: skip
    except KeyboardInterrupt:
        result.interrupted = True
    except UvirtioError as error:
        if not result.results:
            raise
        # Everything was found out, and only giving the device back went wrong.
        result.stopped = result.stopped or str(error)
    finally:
        progress.close()
    show([result.to_json()], format_, output)
    if result.not_offered:
        print(f"uvirtio: {result.not_offered}", file=sys.stderr)
    elif result.interrupted:
        print("uvirtio: interrupted; the device has been reset and given back", file=sys.stderr)
    elif result.stopped:
        print(f"uvirtio: {result.stopped}", file=sys.stderr)
    return result.status


class _Progress:
    """One line on a terminal's stderr that says what is being judged; nothing elsewhere."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            return
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            SpinnerColumn("line"), TextColumn("{task.description}"), TimeElapsedColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("checking")
        self._bar.start()

    def result(self, result: CheckResult) -> None:
        """One more verdict."""
        if self._bar:
            self._bar.update(self._task, description=f"{result.statement.id} {result.verdict.value}")

    def close(self) -> None:
        """Take the line away."""
        if self._bar:
            self._bar.stop()
            self._bar = None
