"""What a person sees of ``uvirtio suspend``: progress while it runs, then head, cycles, summary and verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvirtio.foreign import printable

from .. import exits
from ..judging.suspend_run import Cycle, SuspendRun
from ..judging.verdict import Verdict
from ..telling import console

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TerminalReport"]


class TerminalReport:
    """The report for people: a progress bar while it runs (on a terminal), then head, cycles, summary, verdict."""

    def __init__(self, cycles: int, detail: int = 0) -> None:
        self._errors = console(stderr=True)
        self._progress = None
        self._detail = detail
        if detail >= 0 and cycles > 1 and self._errors.is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("suspend/resume"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                console=self._errors, transient=True,
            )  # fmt: skip
            self._task = self._progress.add_task("cycles", total=cycles)
            self._progress.start()

    def cycle(self, _cycle: Cycle) -> None:
        """One more is done."""
        if self._progress:
            self._progress.advance(self._task)

    def close(self) -> None:
        """Take the bar away."""
        if self._progress:
            self._progress.stop()
            self._progress = None

    def report(self, run: SuspendRun) -> None:
        """Print the whole."""

        screen = console()
        if self._detail >= 0:
            self._print_all(screen, run)
        self._print_verdict(screen, run)

    def _print_all(self, screen: Console, run: SuspendRun) -> None:
        _print_head(screen, run)
        if run.cycles:
            _print_cycles(screen, run, whole=self._detail > 0)
        for remark in dict.fromkeys(run.remarks + [remark for cycle in run.cycles for remark in cycle.remarks]):
            if remark not in run.reason:
                screen.print(f"  note: {printable(remark, lines=True)}")

    @staticmethod
    def _print_verdict(screen: Console, run: SuspendRun) -> None:
        styles = {"PASS": "bold green", "FAIL": "bold red", "WARN": "bold yellow", "SKIP": "bold yellow"}
        from rich.text import Text

        # Why nothing was judged is a message, and goes to stderr.
        reason = "nothing was judged" if run.status == exits.NOT_OFFERED else run.reason
        screen.print(
            Text.assemble(
                (run.verdict.value, styles.get(run.verdict.value, "bold")), f"  {printable(reason, lines=True)}"
            )
        )


def _print_head(console: Console, run: SuspendRun) -> None:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    facts = run.device.get("facts")
    rows = {
        "device": f"{run.locator}: virtio {run.device.get('type', '?')} ({run.device.get('id', '?')})",
        **run.machine,
        "interrupt": run.device.get("interrupt", "?"),
    }
    # What the bus knows is nearer to the device than what the machine says of itself.
    if isinstance(facts, dict):
        rows |= {name: value for name, value in facts.items() if name != "device"}
    for name, value in rows.items():
        table.add_row(name, str(value))
    if run.dialect:
        table.add_row("dialect", f"{run.dialect.name} (feature bit {run.dialect.feature}; {run.dialect.origin})")
    table.add_row("features", f"offered {run.offered}, accepted {run.accepted}")
    if run.warm_up:
        table.add_row("workload", f"{run.workload}: {run.warm_up} completed before the first suspend")
    console.print(table)


def _milliseconds(value: float) -> str:
    return f"{value * 1e3:.3f} ms"


def _print_cycles(console: Console, run: SuspendRun, *, whole: bool) -> None:
    from rich import box
    from rich.table import Table

    table = Table(
        title="suspend and resume in ms",
        title_justify="left",
        title_style="",
        box=box.ASCII2 if console.encoding.lower() not in ("utf-8", "utf8") else box.SIMPLE,
        padding=(0, 1),
        collapse_padding=True,
    )
    for name in ("cycle", "suspend", "reads", "status", "in flight", "waiting", "resume", "reads", "verdict"):
        table.add_column(name, justify="left" if name in ("status", "verdict") else "right", no_wrap=True)
    shown = run.cycles if whole or len(run.cycles) <= 10 else [*run.cycles[:5], None, *run.cycles[-4:]]
    failing = [cycle for cycle in run.cycles if cycle.verdict is not Verdict.PASS and cycle not in shown]
    for cycle in [*shown, *failing[:10]]:
        if cycle is None:
            table.add_row(*["..."] * 9)
            continue
        down, up = cycle.suspend, cycle.resume
        table.add_row(
            str(cycle.number),
            f"{down.seconds * 1e3:.3f}" if down else "-",
            str(down.reads) if down else "-",
            f"{down.status:#04x}" if down else "-",
            str(cycle.in_flight),
            str(cycle.left_waiting),
            f"{up.seconds * 1e3:.3f}" if up else "-",
            str(up.reads) if up else "-",
            cycle.verdict.value,
        )
    console.print(table)
    if len(run.cycles) > 1:
        summary = Table(box=table.box)
        for name in ("", "minimum", "median", "p99", "maximum"):
            summary.add_column(name, justify="right")
        for name, latency in (("suspend", run.suspends), ("resume", run.resumes)):
            if latency.count:
                summary.add_row(name, *(_milliseconds(value) for value in latency.quartet))
        console.print(summary)
    reasons = [(cycle.number, reason) for cycle in run.cycles for reason in cycle.reasons]
    for number, reason in reasons[1:]:  # the first one stands beside the verdict
        console.print(f"  cycle {number}: {printable(reason, lines=True)}")
