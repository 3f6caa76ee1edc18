"""Runs the checks on an open device, one after the other, each from reset and back to reset."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from uvirtio.access.trace import Access, Published
from uvirtio.bus import Triggers
from uvirtio.device import Device
from uvirtio.errors import CannotRun, DeviceError, DeviceGone, NegotiationFailed, NotOffered, UsageError, UvirtioError
from uvirtio.spec.features import Feature, Features
from uvirtio.spec.statements import STATEMENTS, Statement
from uvirtio.suspend import choose_dialect
from uvirtio_drivers.workload import Driver

from ..driving.options import find_working_driver, workload_options
from ..judging.outcomes import NotWorking, Overdue
from ..judging.result import KEPT_BAD, KEPT_GOOD, CheckResult, CheckRun, condense
from ..judging.verdict import Finding, Skip, Verdict, skipped, weigh
from .bench import Bench
from .registry import Check, checks_for, select
from .same import portray

__all__ = ["run_checks"]

#: The bus whose devices reach the memory of the machine that this runs on.
REAL = "uio"
#: Checks in a row that find the device unable to do ordinary work before the run stops.
GIVE_UP = 2
_LOOK_CLOSELY = (Verdict.FAIL, Verdict.WARN, Verdict.ERROR)


def run_checks(
    run: CheckRun,
    device: Device,
    *,
    dialect: str = "auto",
    without: Features | None = None,
    triggers: Triggers | None = None,
    scratch: range | None = None,
    peer: str | None = None,
    pairs: int | None = None,
    provoke: bool = False,
    progress: Callable[[CheckResult], None] | None = None,
) -> None:
    """Judge an open, recording device and fill in ``run``. Interruptions pass through, with what is known kept.

    ``provoke``: a device of a real machine may be given a buffer at an address where no memory should be (V14); others
    are in any case.

    Raises :class:`UsageError` for an unknown id or dialect, and where a feature cannot be left out; what the device does is in the results.
    """
    ids = select(run.only)
    _introduce(run, device)
    driver_class = _driver(run, device)
    options = workload_options(driver_class, device, scratch=scratch, peer=peer, pairs=pairs)
    try:
        run.offered = device.begin()
        chosen, remarks = choose_dialect(
            dialect, run.offered, device.identity.type, legacy=device.transport.kind == "legacy"
        )
    except NotOffered as error:
        run.not_offered = str(error)
        run.results += [CheckResult(STATEMENTS[id_], skipped("SUSPEND is not offered")) for id_ in ids]
        return
    except DeviceError as error:
        run.stopped = str(error)
        return
    if clash := (without or Features()) & Features.of(Feature.VERSION_1, chosen.feature):
        raise UsageError(f"feature {', '.join(map(str, clash))} cannot be left out: a suspend is not judged without it")
    run.dialect = chosen
    run.remarks += remarks
    bench = Bench(
        device, chosen, driver_class, timeout=run.timeout, hold=run.hold, without=without, triggers=triggers,
        cycles=run.cycles, seed=run.seed, options=options,
        provoke=provoke or device.function.bus != REAL,
    )  # fmt: skip
    run.transitions = bench.transitions
    try:
        bench.portrait = portray(device)
    except DeviceError as error:
        run.stopped = str(error)
        return
    selected = checks_for(ids, chosen)
    if not selected:
        run.remarks.append(f"none of {', '.join(ids)} is judged in the {chosen.name} dialect")
    _run_all(run, bench, selected, progress)


def _run_all(
    run: CheckRun,
    bench: Bench,
    selected: Sequence[tuple[Statement, Check]],
    progress: Callable[[CheckResult], None] | None,
) -> None:
    blamed: dict[str, str] = {}
    try:
        _run_each(run, bench, selected, blamed, progress)
    finally:
        for id_, what in blamed.items():
            _blame(run, id_, what)


def _run_each(
    run: CheckRun,
    bench: Bench,
    selected: Sequence[tuple[Statement, Check]],
    blamed: dict[str, str],
    progress: Callable[[CheckResult], None] | None,
) -> None:
    for number, (statement, check) in enumerate(selected):
        # What has become of a device that does not work any more is worth a look all the same.
        if run.stopped and not (statement.id == "S2" and bench.not_working >= GIVE_UP):
            result = CheckResult(statement, skipped(f"not run: {run.stopped}"))
        else:
            try:
                result = _run_one(run, bench, statement, check)
            except KeyboardInterrupt:
                run.interrupted = True
                run.results += [
                    CheckResult(later, skipped("interrupted before a verdict")) for later, _ in selected[number:]
                ]
                raise
            for id_, what in bench.seen_broken.items():
                blamed.setdefault(id_, f"{what} (seen in {statement.id})")
        run.results.append(result)
        if progress is not None:
            progress(result)


def _blame(run: CheckRun, id_: str, what: str) -> None:
    """Make a statement's result a FAIL that the check of another one has seen broken."""
    for result in run.results:
        if result.statement.id != id_ or result.verdict not in (Verdict.PASS, Verdict.SKIP):
            continue
        assert run.dialect is not None
        found = result.finding
        result.finding = weigh(
            Finding(
                Verdict.FAIL, "broken, as another check of this run saw", result.statement.text, what, found.evidence,
                [*found.remarks, f"its own check: {found.verdict.value}: {found.summary}"],
            ), result.statement, run.dialect, strict=run.strict,
        )  # fmt: skip


def _introduce(run: CheckRun, device: Device) -> None:
    run.locator = device.function.locator
    run.simulated = device.clock.simulated
    run.device = {
        "type": device.identity.type_name,
        "id": f"{device.identity.vendor:04x}:{device.identity.device:04x}",
        "revision": device.identity.revision,
        "bus": device.function.bus,
        "interrupt": device.function.line.description,
        **device.function.facts(),
    }


def _driver(run: CheckRun, device: Device) -> type[Driver] | None:
    try:
        return find_working_driver(device.identity.type)
    except CannotRun as error:
        run.remarks.append(f"{error}; without traffic little can be judged")
        return None


def _run_one(run: CheckRun, bench: Bench, statement: Statement, check: Check) -> CheckResult:
    """One check, from reset to reset; whatever it raises becomes its finding."""
    started = bench.clock.now()
    bench.begin_check()
    try:
        finding = check(bench)
        bench.not_working = 0
        if bench.device.negotiated is not None:
            run.accepted = run.accepted | bench.device.negotiated.accepted
        if bench.workload is not None and not run.workload:
            run.workload = bench.workload.proves()
    except Skip as reason:
        finding = skipped(str(reason))
    except CannotRun as error:
        finding = skipped(f"cannot be had here: {error}")
    except DeviceGone as error:
        finding = Finding(Verdict.ERROR, f"the device went away: {error}")
        run.stopped = f"the device went away during {statement.id}: {error}"
    except NotWorking as error:
        finding = Finding(Verdict.ERROR, str(error))
        bench.not_working += 1
        if bench.not_working >= GIVE_UP and not run.stopped:
            run.stopped = f"the device does not do ordinary work any more, found in {statement.id}: {error}"
            if isinstance(error.__cause__, NegotiationFailed):
                run.stopped += "; features can be left out with --without"
    except Overdue as error:
        finding = Finding(Verdict.ERROR, str(error))
    except (UvirtioError, ValueError) as error:
        finding = Finding(Verdict.ERROR, f"could not be judged: {error}")
    finally:
        records = bench.records()
    if bench.falls_back and "this device resumes by 0x0f only (see V9)" not in run.remarks:
        run.remarks.append("this device resumes by 0x0f only (see V9)")
    result = CheckResult(statement, finding, bench.clock.now() - started)
    try:
        bench.end()
    except UvirtioError as error:
        run.stopped = run.stopped or f"the device could not be brought back after {statement.id}: {error}"
    others = {
        id_: what
        for id_, what in bench.seen_broken.items()
        if id_ != statement.id and bench.dialect.name in STATEMENTS[id_].dialects
    }
    finding.remarks += [f"this breaks {id_} as well: {what}" for id_, what in others.items()]
    weigh(finding, statement, bench.dialect, strict=run.strict, binding=bool(others))
    result.accesses = condense(records, KEPT_BAD if finding.verdict in _LOOK_CLOSELY else KEPT_GOOD)
    result.deviations = list(
        dict.fromkeys(event.deviation for event in records if isinstance(event, Access | Published) and event.deviation)
    )
    return result
