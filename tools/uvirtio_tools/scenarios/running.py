"""Runs scenarios on an open device, one after the other, each from reset and back to reset, and has them judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from uvirtio.bus import Triggers
from uvirtio.bus.locator import OF_THIS_MACHINE
from uvirtio.device import Device
from uvirtio.errors import (
    CannotRun,
    DeviceDied,
    DeviceError,
    DeviceGone,
    DeviceHangs,
    NegotiationFailed,
    QemuDied,
    UsageError,
    UvirtioError,
)
from uvirtio.spec.dialects import AUTO
from uvirtio.spec.statements import STATEMENTS, Level, Side

from ..driving.bring_up import BringUp
from ..driving.notified import of_queues
from ..driving.options import RunOptions
from ..driving.ways import Found, find_way, set_interrupts
from ..judging import names
from ..judging.deadline import Overdue
from ..judging.ends import NotWorking, Skip
from ..judging.events import Ended
from ..judging.judge import Judge, speaks_of_notifications
from ..judging.parties import whose
from ..judging.result import CheckResult, CheckRun
from ..judging.stage import Stage
from ..judging.verdict import applies
from ..statements import every_judgement, select
from . import LAST, Scenario, scenarios_for
from .identity import impossible_queues, portray

__all__ = ["introduce", "perform", "run_checks"]

#: Scenarios in a row that find the device unable to do ordinary work before the run stops.
GIVE_UP = 2


def introduce(device: Device) -> dict[str, object]:
    """What a result says about the device."""
    return {
        "type": device.identity.type_name,
        "id": f"{device.identity.vendor:04x}:{device.identity.device:04x}",
        "revision": device.identity.revision,
        "bus": device.function.bus,
        "interrupt": device.function.line.description,
        **device.function.facts(),
    }


def run_checks(
    run: CheckRun,
    device: Device,
    options: RunOptions,
    *,
    triggers: Triggers | None = None,
    progress: Callable[[CheckResult], None] | None = None,
) -> None:
    """Judge an open device that keeps a history, and fill in ``run``. Interruptions pass through, with what is known kept.

    Raises :class:`UsageError` for an unknown id or dialect, and where a feature cannot be left out; what the device does
    is in the results.
    """
    ids = select(run.only)
    run.locator, run.simulated, run.device = device.function.locator, device.clock.simulated, introduce(device)
    bring_up = BringUp(device, options, remarks=run.remarks)
    if bring_up.driver_class is None:
        run.remarks[:] = [
            remark.replace("only the status can be judged", "little can be judged") for remark in run.remarks
        ]
    try:
        run.not_offered = bring_up.choose_if_offered()
    except DeviceError as error:
        run.offered, run.stopped = device.offered, str(error)
        return
    run.offered, run.dialect = device.offered, bring_up.dialect
    run.remarks += impossible_queues(device)
    if options.interrupts != AUTO:
        set_interrupts(bring_up)
    stage = Stage.of(bring_up, triggers)
    stage.may_provoke = options.provoke or device.function.bus not in OF_THIS_MACHINE
    judged = [id_ for id_ in ids if applies(STATEMENTS[id_], bring_up.dialect, device.identity.type)]
    if not judged:
        how = f"in the {bring_up.dialect.name} dialect" if bring_up.dialect else "without SUSPEND"
        run.remarks.append(f"none of {', '.join(ids)} is judged for a {device.identity.type_name} device {how}")
    _Run(run, stage, judged, progress).go()


class _Run:
    """One run of scenarios."""

    def __init__(
        self, run: CheckRun, stage: Stage, judged: Sequence[str], progress: Callable[[CheckResult], None] | None
    ) -> None:
        self._run = run
        self._stage = stage
        self._judged = judged
        self._progress = progress
        self._judge = Judge(every_judgement(), stage.history.setting, strict=run.strict)
        self._not_working = 0
        self._told: set[str] = set()
        self._surroundings = stage.device.function.surroundings
        self._ends = stage.device.clock.now() + stage.options.budget if stage.options.budget else math.inf
        self._cut: list[str] = []

    def go(self) -> None:
        """All of it."""
        run, stage = self._run, self._stage
        run.transitions = stage.sleeper.transitions
        stage.history.listeners.append(self._judge.hear)
        scenarios = self._in_order(scenarios_for(self._judged, stage.bring_up.dialect))
        last = [each for each in scenarios if each.order == LAST]
        again = [each for each in scenarios if each.each_way and self._tells_more(each)]
        try:
            self._begin()
            self._perform([each for each in scenarios if each not in last], [*again, *last])
            with self._messages(bool(again)) as used:
                self._perform(again if used else [], last)
            self._perform(last, [])
        except KeyboardInterrupt:
            run.interrupted = True
            raise
        finally:
            self._conclude()

    def _begin(self) -> None:
        """The device as it is before anything is done to it."""
        history = self._stage.history
        history.open("the device in the beginning")
        try:
            portray(self._stage, "first")
        except DeviceError as error:
            self._run.stopped = str(error)
        history.close()

    def _perform(self, scenarios: Sequence[Scenario], coming: Sequence[Scenario]) -> None:
        """These, of those that are wanted; ``coming`` are for later."""
        run = self._run
        for number, each in enumerate(scenarios):
            if not run.stopped and self._wanted(each):
                # What has become of the device is worth a look all the same.
                if self._stage.device.clock.now() < self._ends or "S2" in each.shows:
                    self._one(each)
                else:
                    self._cut.append(each.name)
            elif run.stopped and "S2" in each.shows and self._not_working >= GIVE_UP:
                self._one(each)  # also of one that does not work any more
            self._tell([*scenarios[number + 1 :], *coming])
        if not scenarios:
            self._tell(coming)

    @contextmanager
    def _messages(self, wanted: bool) -> Iterator[bool]:
        """Has the device notify by messages of MSI-X where whatever it has is to be judged; whether it does."""
        run, stage = self._run, self._stage
        history, device = stage.history, stage.device
        if not wanted or stage.options.interrupts != AUTO or run.stopped:
            yield False
            return
        history.open("see how messages of MSI-X show")
        try:
            found = find_way(stage.bring_up)
        except DeviceError as error:
            run.stopped = f"the device could not be brought back after a look at its messages: {error}"
            found = Found(None, "")
        finally:
            history.close()
        if found.text and found.text not in run.remarks:
            run.remarks.append(found.text)
        if found.way is None:
            yield False
            return
        try:
            device.use_messages(found.way, lag=found.lag)
            history.way = device.notifications.line.description
            yield True
            if not run.stopped:
                history.open("what came as messages")
                stage.read(names.USED_SEEN, of_queues(device))
                history.close()
        finally:
            history.way = ""
            if not run.stopped:
                device.use_interrupts()

    def _in_order(self, scenarios: Sequence[Scenario]) -> list[Scenario]:
        """Those that may only be needed for what the others do not show come after them, and before the last look."""
        return sorted(scenarios, key=lambda each: (each.order == LAST, not set(each.shows) & set(self._judged)))

    def _wanted(self, each: Scenario) -> bool:
        """Whether it can still add something: it is for a statement that was asked for, or would do for one that lacks it."""
        if set(each.shows) & set(self._judged):
            return True
        shown, way = self._judge.shown, self._stage.history.way
        return any(id_ in self._judged and not (shown(id_, way) if each.each_way else shown(id_)) for id_ in each.also)

    def _tells_more(self, each: Scenario) -> bool:
        """Whether it shows a statement about notifications that was asked for."""
        return any(speaks_of_notifications(STATEMENTS[id_]) for id_ in {*each.shows, *each.also} & {*self._judged})

    def _one(self, each: Scenario) -> None:
        """One scenario, from reset to reset; whatever it raises ends it, and is in the history."""
        run, stage, history = self._run, self._stage, self._stage.history
        history.open(each.name, each.shows)
        stage.deadline.begin()
        try:
            end = perform(stage, each)
            self._note(each, end)
            if not any(STATEMENTS[id_].deviates for id_ in each.shows):
                run.remarks += [f"nobody asked for it in {each.shows[0]}: {news}" for news in stage.unasked(end)]
            run.remarks += [remark for remark in stage.bring_up.remarks if remark not in run.remarks]
            if stage.sleeper.falls_back and (remark := "this device resumes by 0x0f only (see V9)") not in run.remarks:
                run.remarks.append(remark)
            try:
                stage.end()
            except UvirtioError as error:
                run.stopped = run.stopped or f"the device could not be brought back after {each.shows[0]}: {error}"
        finally:
            history.close()

    def _note(self, each: Scenario, end: Exception | None) -> None:
        """What the end of a scenario means for the run."""
        run, device = self._run, self._stage.device
        if end is None or isinstance(end, Skip):
            self._not_working = 0
            if device.negotiated is not None:
                run.accepted = run.accepted | device.negotiated.accepted
            if self._stage.traffic.workload is not None and not run.workload:
                run.workload = self._stage.traffic.workload.proves()
        elif isinstance(end, DeviceGone):
            run.stopped = f"the device went away during {each.shows[0]}: {end}"
        elif isinstance(end, NotWorking):
            self._not_working += 1
            if self._not_working >= GIVE_UP and not run.stopped:
                run.stopped = f"the device does not do ordinary work any more, found in {each.shows[0]}: {end}"
                if isinstance(end.__cause__, NegotiationFailed):
                    run.stopped += "; features can be left out with --without"

    def _tell(self, coming: Sequence[Scenario]) -> None:
        """Report each statement about which nothing more is to come."""
        if self._progress is None:
            return
        open_ = {id_ for each in coming for id_ in (*each.shows, *each.also)}
        for id_ in self._judged:
            if id_ not in self._told and (id_ not in open_ or self._run.stopped):
                self._told.add(id_)
                self._progress(self._results([id_])[0])

    def _results(self, ids: Iterable[str]) -> list[CheckResult]:
        spent = f"the budget of {self._stage.options.budget:g} s was spent before" if self._cut else ""
        results = self._judge.results(ids, unheard=self._run.stopped or spent, interrupted=self._run.interrupted)
        for result in results:
            if result.verdict.against and (remark := whose(result.statement, self._surroundings)):
                result.finding.remarks.append(remark)
        return results

    def _conclude(self) -> None:
        if self._cut:
            names = ", ".join(dict.fromkeys(self._cut))
            self._run.remarks.append(f"cut, as the budget of {self._stage.options.budget:g} s was spent: {names}")
        self._run.results += self._results(self._judged)
        self._stage.history.listeners.remove(self._judge.hear)


def perform(stage: Stage, each: Scenario) -> Exception | None:
    """Run a scenario; what ended it before its end, which is in the history. Interruptions pass through."""
    end: Exception
    blames = ""
    try:
        each.run(stage)
        return None
    except Skip as reason:
        how, text, end = reason.how, str(reason), reason
    except QemuDied:
        raise  # it was ended from outside: nothing more can be judged
    except CannotRun as error:
        how, text, end = "skip", f"cannot be had here: {error}", Skip(str(error))
    except DeviceDied as error:
        how, text, end, blames = "gone", str(error), error, _broken_by(error, stage, each)
        if isinstance(error, DeviceHangs):
            how = "hangs"
            if waits_for := stage.device.function.surroundings.backend:
                # Which of the two hangs cannot be known.
                text, blames = f"{error}; it may be {waits_for} that it waits for", ""
    except DeviceGone as error:
        how, text, end = "gone", f"the device went away: {error}", error
    except NotWorking as error:
        how, text, end = "not working", str(error), error
    except Overdue as error:
        how, text, end = "overdue", str(error), error
    except UsageError:
        raise
    except (UvirtioError, ValueError) as error:
        how, text, end = "error", f"could not be judged: {error}", error
    death = stage.device.function.surroundings.death
    if death is not None and (why := death()) is not None:
        # Whatever was seen of it before: that is why.
        how, text, end = "gone", str(why), why
        blames = _broken_by(why, stage, each) if isinstance(why, DeviceDied) else ""
    stage.history.add(Ended(stage.history.now(), how, text, blames))
    return end


def _broken_by(death: DeviceDied, stage: Stage, each: Scenario) -> str:
    """The statement that a device breaks which dies in a scenario; empty where none that binds it is shown there."""
    asked = {"suspend": "V8", "resume": "V9"}.get(death.over)
    for id_ in each.shows if asked is None else (asked, *each.shows):
        statement = STATEMENTS[id_]
        binds = statement.side is Side.DEVICE and statement.level is not Level.UNSPECIFIED
        if binds and applies(statement, stage.bring_up.dialect, stage.device.identity.type):
            return id_
    return ""
