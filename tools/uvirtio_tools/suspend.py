"""``uvirtio suspend``: the main job. Initialise, drive, suspend, hold, resume, and prove that nothing was lost."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uvirtio.device import Device
from uvirtio.errors import CannotRun, DeviceError, NotOffered, UsageError, UvirtioError
from uvirtio.spec.dialects import V1_4, Dialect
from uvirtio.spec.features import Features
from uvirtio.suspend import Suspender, choose_dialect
from uvirtio_drivers import find_driver
from uvirtio_drivers.workload import Driver

from . import exits
from .arguments import add_common, add_device, add_suspend_options, positive_integer, sectors
from .checks.look import watch
from .cycle import Cycle, CycleRunner
from .latency import Latency
from .machine import describe_machine
from .session import feature_bits, open_device

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["SCHEMA", "SuspendRun", "add_arguments", "execute", "run"]

SCHEMA = "uvirtio/suspend"
VERSION = 1


@dataclass(slots=True)
class SuspendRun:
    """Everything that a run found out; the terminal report and the JSON document are both made from it."""

    locator: str
    machine: dict[str, str] = field(default_factory=describe_machine)
    device: dict[str, object] = field(default_factory=dict)
    dialect: Dialect | None = None
    offered: Features = field(default_factory=Features)
    accepted: Features = field(default_factory=Features)
    simulated: bool = False
    workload: str = ""
    proves: str = ""
    warm_up: int = 0
    cycles: list[Cycle] = field(default_factory=list)
    asked: int = 1
    remarks: list[str] = field(default_factory=list)
    verdict: str = "FAIL"
    reason: str = ""
    status: int = exits.FAILED

    @property
    def suspends(self) -> Latency:
        """Latencies of the suspends that came about."""
        return Latency.of(cycle.suspend for cycle in self.cycles)

    @property
    def resumes(self) -> Latency:
        """Latencies of the resumes that came about."""
        return Latency.of(cycle.resume for cycle in self.cycles)

    def to_json(self) -> dict[str, object]:
        """The document of ``--json``."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "locator": self.locator,
            "verdict": self.verdict,
            "reason": self.reason,
            "exit_status": self.status,
            "machine": self.machine,
            "device": self.device,
            "dialect": self.dialect.name if self.dialect else None,
            "features": {"offered": str(self.offered), "accepted": str(self.accepted)},
            "simulated_time": self.simulated,
            "workload": {"description": self.workload, "proves": self.proves, "warm_up": self.warm_up},
            "remarks": self.remarks,
            "asked_cycles": self.asked,
            "cycles": [cycle.to_json() for cycle in self.cycles],
            "summary": {"suspend": self.suspends.to_json(), "resume": self.resumes.to_json()},
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``uvirtio suspend``."""
    add_device(parser)
    add_suspend_options(parser)
    parser.add_argument("--cycles", metavar="N", type=positive_integer, default=1, help="how often (default: 1)")
    parser.add_argument(
        "--workload", default="auto", choices=("auto", "none"),
        help="traffic during the cycles: the device type's own, or none (default: auto)",
    )  # fmt: skip
    parser.add_argument(
        "--scratch", metavar="FIRST-LAST", type=sectors,
        help="sectors (of 512 bytes) of a block device that may be overwritten; without it somebody's disk is only read",
    )  # fmt: skip
    parser.add_argument(
        "--peer", choices=("echo", "none"),
        help="what is at the other end of a network or console device: echo sends everything back (default: what the "
        "locator says)",
    )  # fmt: skip
    add_common(parser)


def execute(
    run: SuspendRun,
    device: Device,
    *,
    dialect: str,
    cycles: int,
    hold: float,
    timeout: float,
    traffic: bool = True,
    scratch: range | None = None,
    peer: str | None = None,
    without: Features | None = None,
    progress: Callable[[Cycle], None] | None = None,
) -> None:
    """Do the whole job on an open device and fill in ``run``. Raises only what is not the device's doing."""
    run.asked = cycles
    run.simulated = device.clock.simulated
    run.device = {
        "type": device.identity.type_name,
        "id": f"{device.identity.vendor:04x}:{device.identity.device:04x}",
        "revision": device.identity.revision,
        "bus": device.function.bus,
        "interrupt": device.function.line.description,
        "facts": device.function.facts(),
    }
    try:
        run.offered = device.begin()
        driver_class = _driver_class(device, run, traffic)
        options = _options(driver_class, device, scratch=scratch, peer=peer)
        try:
            chosen, remarks = choose_dialect(
                dialect, run.offered, device.identity.type, legacy=device.transport.kind == "legacy"
            )
        except NotOffered as error:
            _not_offered(run, device, driver_class, str(error), without, options)
            return
        run.dialect = chosen
        run.remarks += remarks
        runner = _start(run, device, driver_class, chosen, timeout, hold, without, options)
    except DeviceError as error:
        run.reason = str(error)
        return
    for number in range(1, cycles + 1):
        cycle = runner.run(number)
        run.cycles.append(cycle)
        if progress:
            progress(cycle)
        if not device.queues and runner.workload is not None:
            break  # the driver gave up and reset the device
        if cycle.resume is None or not cycle.resume.done:
            break
    _conclude(run)


def _driver_class(device: Device, run: SuspendRun, traffic: bool) -> type[Driver] | None:
    if not traffic:
        run.workload = "none"
        run.proves = "nothing was moved: only status and rings were looked at"
        return None
    try:
        return find_driver(device.identity.type)
    except CannotRun as error:
        run.remarks.append(f"{error}; without traffic only the status can be judged")
        run.workload = "none"
        run.proves = "nothing was moved: there is no driver for this device type"
        return None


def _options(driver_class: type[Driver] | None, device: Device, **given: object) -> dict[str, object]:
    """What the driver's workload is told. Raises :class:`UsageError` for an option that its type does not have."""
    options = {name: value for name, value in given.items() if value is not None}
    for name in options:
        if driver_class is None or name not in driver_class.OPTIONS:
            why = "there is no workload" if driver_class is None else f"this is a {device.identity.type_name} device"
            types = {"scratch": "block devices", "peer": "network and console devices"}[name]
            raise UsageError(f"--{name} is for the workloads of {types}, but {why}")
    return options


def _start(
    run: SuspendRun,
    device: Device,
    driver_class: type[Driver] | None,
    dialect: Dialect | None,
    timeout: float,
    hold: float,
    without: Features | None,
    options: dict[str, object],
) -> CycleRunner:
    """Negotiate, start the driver, and see requests come back before the first suspend. ``dialect`` None: none is asked for."""
    extra = Features.of(dialect.feature) if dialect else Features()
    negotiated = device.negotiate(
        (driver_class.FEATURES if driver_class else Features()) | extra,
        required=extra, without=without, dependencies=driver_class.DEPENDENCIES if driver_class else None,
    )  # fmt: skip
    run.accepted = negotiated.accepted
    run.remarks += negotiated.remarks
    for index, limit in driver_class.queues(device).items() if driver_class else ():
        device.set_up_queue(index, limit)
    watch(device)
    device.driver_ok()
    workload = None
    if driver_class is not None:
        driver = driver_class(device)
        driver.start()
        workload = driver.workload(**options)
        run.workload, run.proves = type(workload).__name__, workload.proves()
    runner = CycleRunner(device, workload, Suspender(device, dialect or V1_4, timeout), hold=hold)
    run.warm_up = runner.warm_up()
    if run.warm_up and not runner.isr_works:
        run.remarks.append(
            f"ISR has shown nothing so far ({device.line.description}); completions are found by polling"
        )
    return runner


def _not_offered(
    run: SuspendRun,
    device: Device,
    driver_class: type[Driver] | None,
    why: str,
    without: Features | None,
    options: dict[str, object],
) -> None:
    """Show that the rings work, say what is missing, and judge nothing."""
    run.verdict, run.reason, run.status = "SKIP", why, exits.NOT_OFFERED
    _start(run, device, driver_class, None, device.timeout, 0.0, without, options)


def _conclude(run: SuspendRun) -> None:
    failed = [cycle for cycle in run.cycles if cycle.verdict != "PASS"]
    if not failed and len(run.cycles) == run.asked:
        run.verdict, run.status = "PASS", exits.HOLDS
        moved = sum(cycle.completed for cycle in run.cycles) + run.warm_up
        flying = sum(cycle.in_flight for cycle in run.cycles)
        times = "once" if run.asked == 1 else f"{run.asked} times"
        run.reason = f"suspended and resumed {times}; {run.proves}"
        if run.warm_up:
            run.reason += f" ({moved} requests, {flying} of them in flight at a suspend)"
        return
    run.verdict, run.status = "FAIL", exits.FAILED
    first = failed[0]
    run.reason = f"cycle {first.number} of {run.asked}: {first.reasons[0]}"


def run(args: argparse.Namespace) -> int:
    """The command."""
    result = SuspendRun(args.locator)
    without = feature_bits(args.without)
    reporter = None if args.json else _Terminal(args.cycles)
    try:
        with open_device(args.locator, trace=args.trace, timeout=args.timeout, force=args.force) as device:
            result.locator = device.function.locator
            execute(
                result, device, dialect=args.dialect, cycles=args.cycles, hold=args.hold, timeout=args.timeout,
                traffic=args.workload != "none", scratch=args.scratch, peer=args.peer, without=without,
                progress=reporter.cycle if reporter else None,
            )  # fmt: skip
    except KeyboardInterrupt:
        result.verdict, result.status = "ERROR", exits.INTERRUPTED
        result.reason = f"interrupted after {len(result.cycles)} of {args.cycles} cycles; the device has been reset"
    except UvirtioError as error:
        if not result.reason:
            raise
        # Everything was found out, and only giving the device back went wrong.
        result.remarks.append(str(error))
        result.status = result.status or exits.FAILED
        print(f"uvirtio: {error}", file=sys.stderr)
    finally:
        if reporter:
            reporter.close()
    if args.json:
        json.dump(result.to_json(), sys.stdout, indent=2)
        sys.stdout.write("\n")
    elif reporter:
        reporter.report(result)
    if result.status == exits.NOT_OFFERED:
        print(f"uvirtio: {result.reason}", file=sys.stderr)
    return result.status


class _Terminal:
    """The report for people: a progress bar while it runs (on a terminal), then head, cycles, summary, verdict."""

    def __init__(self, cycles: int) -> None:
        from rich.console import Console

        self._errors = Console(stderr=True, highlight=False)
        self._progress = None
        if cycles > 1 and self._errors.is_terminal:
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
        from rich.console import Console

        console = Console(highlight=False)
        _print_head(console, run)
        if run.cycles:
            _print_cycles(console, run)
        for remark in dict.fromkeys(run.remarks + [remark for cycle in run.cycles for remark in cycle.remarks]):
            if remark not in run.reason:
                console.print(f"  note: {remark}", markup=False)
        styles = {"PASS": "bold green", "FAIL": "bold red", "SKIP": "bold yellow"}
        from rich.text import Text

        # Why nothing was judged is a message, and goes to stderr.
        reason = "nothing was judged" if run.status == exits.NOT_OFFERED else run.reason
        console.print(Text.assemble((run.verdict, styles.get(run.verdict, "bold")), f"  {reason}"))


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
        table.add_row("workload", f"{run.workload}: {run.warm_up} requests completed before the first suspend")
    console.print(table)


def _milliseconds(value: float) -> str:
    return f"{value * 1e3:.3f} ms"


def _print_cycles(console: Console, run: SuspendRun) -> None:
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
    shown = run.cycles if len(run.cycles) <= 10 else [*run.cycles[:5], None, *run.cycles[-4:]]
    failing = [cycle for cycle in run.cycles if cycle.verdict != "PASS" and cycle not in shown]
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
            cycle.verdict,
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
        console.print(f"  cycle {number}: {reason}", markup=False)
