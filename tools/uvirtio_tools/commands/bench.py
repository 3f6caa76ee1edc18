"""``uvirtio bench``: measured speed. Ratios first: they hold on a machine that is busy with other things too."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from uvirtio.device import Device
from uvirtio.errors import UsageError

from .. import exits
from ..benches.baseline import SCHEMA, VERSION, Row, compare, load
from ..driving.bring_up import BringUp
from ..driving.machine import describe_machine
from ..driving.opening import open_device
from ..driving.options import RunOptions, feature_bits
from ..driving.ways import set_interrupts
from ..telling import tell
from .arguments import add_common, add_force, add_interrupts, add_via, add_without, positive_integer, seconds

__all__ = ["BENCHES", "add_arguments", "run"]

#: What can be measured; those of the second kind need a device, and ``poll`` does with plain memory too.
ALONE = ("ring", "queue")
#: Columns of words; the others are figures.
_WORDS = frozenset({"format", "feature", "frames", "order", "way"})
WITH_DEVICE = ("poll", "net", "blk", "rng", "suspend", "interrupts")
BENCHES = (*ALONE, *WITH_DEVICE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``bench``."""
    parser.add_argument("bench", choices=BENCHES, metavar="WHAT", help=f"one of {', '.join(BENCHES)}")
    parser.add_argument(
        "locator", nargs="?", metavar="LOCATOR",
        help=f"the device, for {', '.join(WITH_DEVICE)} (default: plain memory for poll, an emulated one in simulated time for the others)",
    )  # fmt: skip
    add_force(parser)
    add_via(parser)
    add_without(parser)
    add_interrupts(parser)
    parser.add_argument(
        "--seconds", metavar="SECONDS", type=seconds(zero=False), default=1.0,
        help="how long each measurement with a device takes (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--turns", metavar="N", type=positive_integer, default=15,
        help="how often everything has its turn; medians are shown (default: 15)",
    )  # fmt: skip
    parser.add_argument(
        "--buffers", metavar="N", type=positive_integer, default=10_000_000,
        help="queue: how many buffers have to pass without the process growing (default: 10000000)",
    )  # fmt: skip
    parser.add_argument(
        "--judge", action="store_true",
        help="judge the rings and the notifications of the device first: figures of one that breaks a rule say little",
    )  # fmt: skip
    parser.add_argument("--baseline", metavar="FILE", help="compare the ratios with those of this earlier --json")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, show, compare; 1 if a ratio is clearly worse than the baseline's, or the device breaks a rule (``--judge``)."""
    baseline = load(args.baseline) if args.baseline else []
    broken = _judged(args) if args.judge else []
    for sentence in broken:
        tell(sentence)
    rows = _measure(args)
    worse = compare(rows, baseline)
    if args.json:
        document = {"schema": SCHEMA, "version": VERSION, "machine": describe_machine(), "rows": rows, "worse": worse}
        if args.judge:
            document["broken"] = broken
        print(json.dumps(document, indent=2))
    else:
        _show(args.bench, rows)
    for sentence in worse:
        tell(sentence)
    return exits.FAILED if worse or broken else exits.HOLDS


def _judged(args: argparse.Namespace) -> list[str]:
    """What the device breaks of the rules for rings and notifications, and why it could not be judged where it could not."""
    from ..judging.history import History
    from ..judging.result import CheckRun
    from ..scenarios.running import run_checks

    if args.bench in ALONE:
        raise UsageError(f"--judge is for benches with a device: {', '.join(WITH_DEVICE)}")
    locator = args.locator or _default(args.bench)
    result = CheckRun(locator, only=["queues", "notifications"])
    options = RunOptions(without=feature_bits(args.without))
    with open_device(locator, recorder=History, force=args.force) as device:
        run_checks(result, device, options)
    found = [
        f"{each.statement.id} {each.verdict.value}: {each.finding.summary}; {each.finding.observed}"
        for each in result.results
        if each.verdict.bad
    ]
    return found or ([result.stopped] if result.stopped else [])


def _measure(args: argparse.Namespace) -> list[Row]:
    if args.bench in ALONE and args.locator:
        raise UsageError(f"bench {args.bench} measures this library alone and takes no device")
    if args.bench == "ring":
        from ..benches.ring import measure_ring

        return measure_ring(args.turns)
    if args.bench == "queue":
        from ..benches.order import measure_order
        from ..benches.queue import measure_endurance, measure_queues, measure_sizes

        rows = measure_sizes(args.turns) + measure_queues(args.turns) + measure_order(args.turns)
        return rows + measure_endurance(args.buffers)
    if args.bench == "poll" and not args.locator:
        from ..benches.poll import measure_poll

        return measure_poll(args.turns)
    with _device(args) as device:
        without = feature_bits(args.without) if args.without else None
        if args.bench == "poll":
            from ..benches.poll import measure_register

            rows = measure_register(device, args.turns)
        elif args.bench == "suspend":
            from ..benches.transitions import measure_suspend

            rows = measure_suspend(device, args.seconds, without)
        elif args.bench == "interrupts":
            from ..benches.ways import measure_ways

            rows = measure_ways(device, args.seconds, without)
        else:
            from ..benches import devices

            measure = {"net": devices.measure_net, "blk": devices.measure_blk, "rng": devices.measure_rng}[args.bench]
            rows = measure(device, args.seconds, without)
        return [{**row, "locator": device.function.locator} for row in rows]


def _default(bench: str) -> str:
    """The device that is measured where none is named."""
    return (
        "emulated:rng?delay=0.001"
        if bench == "suspend"
        else "emulated:rng"
        if bench in ("poll", "interrupts")
        else f"emulated:{bench}"
    )


@contextmanager
def _device(args: argparse.Namespace) -> Iterator[Device]:
    with open_device(args.locator or _default(args.bench), force=args.force) as device:
        if args.bench not in ("poll", "interrupts"):
            options = RunOptions(interrupts=args.interrupts, without=feature_bits(args.without))
            set_interrupts(BringUp(device, options))
        yield device


def _hidden(rows: list[Row]) -> set[str]:
    """What stands in the title or says nothing: the table has to fit a terminal of 80 columns."""
    hidden = {"bench", "locator", "simulated_time"}
    if "per_second" in rows[0]:
        hidden.add("buffers")
    if not any(row.get("extra_kicks") for row in rows):
        hidden.add("extra_kicks")
    return hidden


def _show(bench: str, rows: list[Row]) -> None:
    """A table for each kind of rows: those that have the same columns."""
    from rich import box
    from rich.table import Table

    from ..telling import console

    if not rows:
        tell(f"bench {bench}: there was nothing to measure")
        return
    title = f"bench {bench}" + (f" {rows[0]['locator']}" if "locator" in rows[0] else "")
    if rows[0].get("simulated_time"):
        title += " (simulated time; ns are real)"
    kinds: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        kinds.setdefault(tuple(row), []).append(row)
    screen = console()
    for columns, alike in kinds.items():
        hidden = _hidden(alike)
        table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
        for column in columns:
            if column not in hidden:
                words = column in _WORDS
                justify: Literal["left", "right"] = "left" if words else "right"
                # A header may take several lines; what stands under it is read across.
                widest = max(len(word) for word in [*column.split("_"), *(str(row[column]) for row in alike)])
                table.add_column(column.replace("_", " "), justify=justify, min_width=widest, no_wrap=words)
        for row in alike:
            table.add_row(*(str(row[column]) for column in columns if column not in hidden))
        screen.print(table)
