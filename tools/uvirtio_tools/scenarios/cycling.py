"""The run of ``uvirtio suspend`` on an open device: one suspend under load, as often as asked for, with every statement listening."""

from __future__ import annotations

from collections.abc import Callable

from uvirtio.device import Device
from uvirtio.errors import DeviceError, NotOffered
from uvirtio.spec.statements import BLAMED, STATEMENTS

from .. import exits
from ..driving.bring_up import BringUp
from ..driving.options import RunOptions
from ..driving.ways import set_interrupts
from ..judging.events import Traffic
from ..judging.history import Window
from ..judging.judge import ALSO, Judge
from ..judging.names import BEFORE, CONTROL
from ..judging.observation import Kind, Observation
from ..judging.stage import Stage
from ..judging.suspend_run import NO_TRAFFIC, Cycle, SuspendRun
from ..judging.verdict import Verdict
from ..statements import every_judgement
from ..wording import times
from . import NORMAL, Scenario
from .identity import impossible_queues
from .running import introduce, perform
from .suspend import cycle

__all__ = ["Cycles", "run_cycles"]

#: What a cycle is for, of the statements that need no deviation.
SHOWS = ("V3", "V6", "V8", "V9", "V11", "V12", "V16", "C1", "C2", "R6", "I6", "I7")


class Cycles:
    """Cycles on a running device, each judged as it ends.

    ``judge`` hears everything; ``warm_up``: requests that came back before the first suspend.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.judge = Judge(every_judgement(), stage.history.setting, strict=False)
        self.warm_up = 0
        self._arrived = False
        self._heard: dict[str, list[Observation]] = {}
        self._window: Window | None = None
        stage.history.listeners.append(self._hear)

    def _hear(self, window: Window) -> None:
        self._window, self._heard = window, self.judge.hear(window)

    def prove(self) -> None:
        """Requests before the first suspend, which show what can be seen on this device. Raises a :class:`DeviceError`."""
        stage = self.stage
        stage.history.open("requests before the first suspend", SHOWS)
        stage.deadline.lift()
        stage.note_started()
        try:
            stage.traffic.prove()
        except DeviceError as error:
            stage.traffic.note(CONTROL, error)
            raise
        if stage.traffic.workload is not None:
            self.warm_up = sum(each.completed for each in stage.history.window.of(Traffic) if each.doing == CONTROL)
            control = stage.traffic.control
            self._arrived = control is not None and control.used and stage.traffic.interrupted(BEFORE)

    def run(self, number: int, hold: float) -> Cycle:
        """One cycle; raises nothing that the device causes: whatever goes wrong is in the history and in the result."""
        stage = self.stage
        stage.history.go_on("suspend under load", SHOWS)
        stage.deadline.begin()
        one = Scenario("suspend under load", SHOWS, (), lambda stage: self._one(stage, hold), (), NORMAL)
        end = perform(stage, one)
        unasked = stage.unasked(end)
        trouble = ""
        transition = stage.sleeper.suspender.last
        if end is not None:
            trouble = _named(end)
            if transition is not None and not transition.done:
                trouble = f"{stage.sleeper.suspender.explain(transition)}. The device has been reset"
            try:
                stage.end()
            except DeviceError as error:
                trouble += f". Resetting it failed as well: {error}"
        stage.history.go_on()
        assert self._window is not None
        result = Cycle.of(number, self._window)
        result.remarks += [f"nobody asked for it: {news}" for news in unasked]
        self._weigh(result, trouble)
        return result

    def _one(self, stage: Stage, hold: float) -> None:
        if stage.traffic.workload is not None:
            stage.traffic.load(notified=False)
        cycle(stage, hold, self._arrived, kick=True)

    def _weigh(self, result: Cycle, trouble: str) -> None:
        """What the statements have heard in this cycle, as reasons and remarks."""
        if trouble:
            result.fail(trouble)
        broken = [(id_, each) for id_, found in self._heard.items() for each in found if each.kind is Kind.BROKEN]
        # The statement that saw it says best what it was.
        for id_, observation in sorted(broken, key=lambda pair: pair[1].summary == ALSO):
            text = f"{observation.summary}: {observation.observed}"
            verdict = self.judge.weight(id_, observation)
            if verdict is Verdict.FAIL:
                result.fail(f"{_where(id_)}: {text}")
            else:
                result.remarks.append(f"{_where(id_)}, {verdict.value}: {text}")

    def close(self) -> None:
        """Listen no more."""
        self.stage.history.close()
        self.stage.history.listeners.remove(self._hear)


def _where(id_: str) -> str:
    section = STATEMENTS[id_].section
    return f"{id_} (virtio 1.4, {section})" if id_[0] in "VS" else f"{id_} ({section})"


def _named(error: Exception) -> str:
    """What went wrong, with the statement that it breaks where that is known."""
    rule = error.rule if isinstance(error, DeviceError) else ""
    return f"{_where(BLAMED[rule])}: {error}" if rule in BLAMED else str(error)


def run_cycles(
    run: SuspendRun, device: Device, options: RunOptions, *, progress: Callable[[Cycle], None] | None = None
) -> None:
    """Do the whole job on an open device that keeps a history, and fill in ``run``. Raises only what is not the device's doing."""
    run.asked, run.simulated = options.cycles or 1, device.clock.simulated
    facts = device.function.facts()
    run.device = {name: value for name, value in introduce(device).items() if name not in facts} | {"facts": facts}
    bring_up = BringUp(device, options, remarks=run.remarks)
    _describe_workload(run, bring_up, options)
    cycles = _prepare(run, device, bring_up)
    if cycles is None:
        return
    try:
        cycles.prove()
    except DeviceError as error:
        run.reason = _named(error)
        cycles.close()
        run.results = [each for each in cycles.judge.results(STATEMENTS) if each.verdict is Verdict.FAIL]
        return
    run.warm_up = cycles.warm_up
    if bring_up.workload is not None:
        run.proves = bring_up.workload.proves()
    run.remarks += _about_isr(cycles.stage, run.warm_up)
    try:
        for number in range(1, run.asked + 1):
            result = cycles.run(number, options.hold)
            run.cycles.append(result)
            if progress:
                progress(result)
            if not result.came_about or (bring_up.workload is None and not bring_up.unmoved):
                break  # the device was given up and reset
    finally:
        cycles.close()
        run.results = [each for each in cycles.judge.results(STATEMENTS) if each.verdict is not Verdict.SKIP]
    _conclude(run)
    _reset(run, device)


def _prepare(run: SuspendRun, device: Device, bring_up: BringUp) -> Cycles | None:
    """Choose the dialect, negotiate, and make what suspends; None where ``run`` says why there is nothing to suspend."""
    try:
        set_interrupts(bring_up)
        run.device["interrupt"] = device.notifications.line.description
        try:
            dialect = bring_up.choose()
        except NotOffered as error:
            run.offered = device.offered
            _not_offered(run, bring_up, str(error))
            return None
        finally:
            run.offered = device.offered
        run.dialect = dialect
        run.remarks += impossible_queues(device)
        stage = Stage.of(bring_up)
        negotiated = bring_up.proceed()
        run.accepted = negotiated.accepted
        run.remarks += negotiated.remarks
        if bring_up.unmoved and bring_up.driver_class is not None:
            run.workload, run.proves = NO_TRAFFIC, f"nothing was moved: {bring_up.unmoved}"
        return Cycles(stage)
    except DeviceError as error:
        run.reason = _named(error)
        return None


def _describe_workload(run: SuspendRun, bring_up: BringUp, options: RunOptions) -> None:
    run.workload = f"requests of the {bring_up.device.identity.type_name} driver"
    if not options.traffic:
        run.workload = NO_TRAFFIC
        run.proves = "nothing was moved, as asked for: no queue was set up"
    elif bring_up.workload_class is None:
        run.workload = NO_TRAFFIC
        run.proves = "nothing was moved: there is no driver for this device type, so no queue was set up"


def _about_isr(stage: Stage, warm_up: int) -> list[str]:
    control = stage.traffic.control
    if control is not None and control.sticky:
        return [
            "reading ISR does not clear it, which breaks N6 (virtio 1.4, 4.1.4.5.1): it is not looked at, completions are found by polling"
        ]
    if control is not None and warm_up and not control.notified:
        line = stage.device.notifications.line.description
        return [f"ISR has shown nothing so far ({line}); completions are found by polling"]
    return []


def _not_offered(run: SuspendRun, bring_up: BringUp, why: str) -> None:
    """Show that the rings work, say what is missing, and judge nothing."""
    run.verdict, run.reason, run.status = Verdict.SKIP, why, exits.NOT_OFFERED
    try:
        negotiated = bring_up.proceed()
        run.accepted = negotiated.accepted
        run.remarks += negotiated.remarks
        if bring_up.workload is None:
            return
        run.proves = bring_up.workload.proves()
        stage = Stage.of(bring_up)
        stage.history.open("requests")
        stage.traffic.prove()
        run.warm_up = sum(each.completed for each in stage.history.window.of(Traffic))
        stage.history.close()
    except DeviceError as error:
        run.remarks.append(f"nor does the device do ordinary work: {error}")


def _reset(run: SuspendRun, device: Device) -> None:
    """Leave the device in reset; one that did well so far and does not reset any more has not come back as it was."""
    if run.status != exits.HOLDS:
        return
    try:
        device.reset()
    except DeviceError as error:
        run.verdict, run.status = Verdict.FAIL, exits.FAILED
        run.reason = f"after the last cycle: {error}"


def _conclude(run: SuspendRun) -> None:
    failed = [each for each in run.cycles if each.verdict is not Verdict.PASS]
    if failed or len(run.cycles) != run.asked:
        run.verdict, run.status = Verdict.FAIL, exits.FAILED
        first = failed[0]
        run.reason = f"cycle {first.number} of {run.asked}: {first.reasons[0]}"
        return
    if broken := [result for result in run.results if result.verdict is Verdict.FAIL]:
        # Seen in the requests before the first suspend.
        finding = broken[0].finding
        run.verdict, run.status = Verdict.FAIL, exits.FAILED
        run.reason = f"{_where(broken[0].statement.id)}: {finding.summary}: {finding.observed}"
        return
    # What moves no data passes on any device that gets its status right: that is less than the word PASS promises.
    moving = sum(each.completed for each in run.cycles) > 0
    if not moving and run.workload != NO_TRAFFIC:
        run.proves = "nothing was moved: no request came back after a suspend"
    moved = sum(each.completed for each in run.cycles) + run.warm_up
    warned = [result for result in run.results if result.verdict is Verdict.WARN]
    run.verdict, run.status = Verdict.PASS if moving and not warned else Verdict.WARN, exits.HOLDS
    flying = sum(each.in_flight for each in run.cycles)
    run.reason = f"suspended and resumed {times(run.asked)}{'' if moving else ' by its status alone'}; {run.proves}"
    if run.warm_up:
        run.reason += f" ({moved} requests, {flying} of them in flight at a suspend)"
    if warned:
        run.reason += f"; {', '.join(result.statement.id for result in warned)}: {warned[0].finding.summary}"
