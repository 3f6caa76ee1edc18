"""Judges emulated devices in this process, those that exist only in a test included."""

from __future__ import annotations

from collections.abc import Callable

from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.device import Device
from uvirtio.emulated.behaviour import Behaviour
from uvirtio_tools.driving.options import RunOptions
from uvirtio_tools.judging.history import History
from uvirtio_tools.judging.result import CheckResult, CheckRun
from uvirtio_tools.scenarios.running import run_checks

Results = dict[str, CheckResult]


def judge(
    locator: str,
    *,
    behaviour: type[Behaviour] | None = None,
    tamper: Callable[[EmulatedBus], None] | None = None,
    dialect: str = "auto",
    only: str = "",
    strict: bool = False,
    cycles: int = 0,
    seed: int = 0,
    provoke: bool = False,
    interrupts: str = "auto",
) -> CheckRun:
    """Run the checks on the device that ``locator`` names, with another behaviour put in, or tampered with."""
    bus = EmulatedBus(parse(locator))
    device = bus.function.device
    if behaviour is not None:
        device.behaviour = behaviour(device, 0.0)
    if tamper is not None:
        tamper(bus)
    run = CheckRun(locator, strict=strict, cycles=cycles, seed=seed, only=[word for word in only.split(",") if word])
    with Device(bus, recorder=History(bus.clock)) as driven:
        options = RunOptions(
            dialect=dialect, strict=strict, cycles=cycles, seed=seed, provoke=provoke, interrupts=interrupts
        )
        run_checks(run, driven, options)
    return run


def results(run: CheckRun) -> Results:
    """id -> result."""
    return {result.statement.id: result for result in run.results}


def words(run: CheckRun) -> dict[str, str]:
    """id -> verdict."""
    return {result.statement.id: result.verdict.value for result in run.results}


def with_verdict(run: CheckRun, *verdicts: str) -> set[str]:
    """The ids that got one of these verdicts."""
    return {id_ for id_, word in words(run).items() if word in verdicts}
