"""The run of ``uvirtio suspend`` on an open device, and everything that it finds out. Prints nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from uvirtio.device import Device
from uvirtio.errors import CannotRun, DeviceError, NotOffered
from uvirtio.spec.dialects import V1_4, Dialect
from uvirtio.spec.features import Features
from uvirtio.suspend import Suspender, choose_dialect
from uvirtio_drivers import workload_of
from uvirtio_drivers.workload import Driver

from . import exits
from .cycle import Cycle, CycleRunner
from .driving.machine import describe_machine
from .driving.options import find_working_driver, workload_options
from .judging.latency import Latency

__all__ = ["SCHEMA", "SuspendRun", "execute"]

SCHEMA = "uvirtio/suspend"
VERSION = 1
#: The name of the workload where there is none.
NO_TRAFFIC = "none"


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
    pairs: int | None = None,
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
        options = workload_options(driver_class, device, scratch=scratch, peer=peer, pairs=pairs)
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
    _reset(run, device)


def _driver_class(device: Device, run: SuspendRun, traffic: bool) -> type[Driver] | None:
    if not traffic:
        run.workload = NO_TRAFFIC
        run.proves = "nothing was moved, as asked for: no queue was set up"
        return None
    try:
        return find_working_driver(device.identity.type)
    except CannotRun as error:
        run.remarks.append(f"{error}; without traffic only the status can be judged")
        run.workload = NO_TRAFFIC
        run.proves = (
            "nothing was moved: there is no driver for this device type that has a workload, so no queue was set up"
        )
        return None


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
    device.driver_ok()
    workload = None
    if driver_class is not None:
        driver = driver_class(device)
        driver.start()
        workload = workload_of(driver, **options)
        run.workload = f"requests of the {device.identity.type_name} driver"
        run.proves = workload.proves()
    runner = CycleRunner(device, workload, Suspender(device, dialect or V1_4, timeout), hold=hold)
    run.warm_up = runner.warm_up()
    if not runner.isr_clears:
        run.remarks.append(
            "reading ISR does not clear it, as virtio 1.4, 4.1.4.5 demands: it is not looked at, completions are found by polling"
        )
    elif run.warm_up and not runner.isr_works:
        run.remarks.append(
            f"ISR has shown nothing so far ({device.notifications.line.description}); completions are found by polling"
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
    try:
        _start(run, device, driver_class, None, device.timeout, 0.0, without, options)
    except DeviceError as error:
        run.remarks.append(f"nor does the device do ordinary work: {error}")


def _reset(run: SuspendRun, device: Device) -> None:
    """Leave the device in reset; one that did well so far and does not reset any more has not come back as it was."""
    if run.status != exits.HOLDS:
        return
    try:
        device.reset()
    except DeviceError as error:
        run.verdict, run.status = "FAIL", exits.FAILED
        run.reason = f"after the last cycle: {error}"


def _conclude(run: SuspendRun) -> None:
    failed = [cycle for cycle in run.cycles if cycle.verdict != "PASS"]
    if not failed and len(run.cycles) == run.asked:
        # What moves no data passes on any device that gets its status right: that is less than the word PASS promises.
        moved = sum(cycle.completed for cycle in run.cycles)
        moving = moved > 0
        if not moving and run.workload != NO_TRAFFIC:
            run.proves = "nothing was moved: no request came back after a suspend"
        moved += run.warm_up
        run.verdict, run.status = "PASS" if moving else "WARN", exits.HOLDS
        flying = sum(cycle.in_flight for cycle in run.cycles)
        times = "once" if run.asked == 1 else f"{run.asked} times"
        run.reason = f"suspended and resumed {times}{'' if moving else ' by its status alone'}; {run.proves}"
        if run.warm_up:
            run.reason += f" ({moved} requests, {flying} of them in flight at a suspend)"
        return
    run.verdict, run.status = "FAIL", exits.FAILED
    first = failed[0]
    run.reason = f"cycle {first.number} of {run.asked}: {first.reasons[0]}"
