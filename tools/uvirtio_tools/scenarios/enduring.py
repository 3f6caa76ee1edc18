"""The run of ``uvirtio survive``: devices that are kept under load while things happen to the machine, and judged by that."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from uvirtio.device import Device
from uvirtio.errors import CannotRun, DeviceDied, DeviceError, DeviceGone, UvirtioError
from uvirtio.spec.features import Features
from uvirtio.spec.statements import CHAPTERS, STATEMENTS

from ..driving.bring_up import BringUp
from ..driving.gaps import Gap, Gaps
from ..driving.options import RunOptions
from ..driving.power import cycles
from ..driving.ways import set_interrupts
from ..judging import names
from ..judging.ends import NotWorking, Skip
from ..judging.events import Happened, Left, Started
from ..judging.history import Window
from ..judging.judge import Judge
from ..judging.observation import Kind, Observation
from ..judging.stage import Stage
from ..judging.survive_run import DeviceRun, Incident, SurviveRun
from ..judging.verdict import Verdict
from ..statements import every_judgement
from .ordeal import FULL, LOADS, Ordeal
from .running import introduce
from .survive import MOVES, interrupts_arrive

__all__ = ["EVENTS", "Plan", "Survivor", "endure"]

#: Everything that may be asked for, on one bus or another.
EVENTS = (*MOVES, "change_config", "reset", "replug", "d3hot", "flr")
_IDS = tuple(CHAPTERS["survive"])
#: How long a machine to which nothing is done is watched before its devices are looked at and loaded anew (s), and how often.
_WATCHED, _NAP = 0.5, 0.005
#: The longest that notified requests are left alone before an event (s).
_MOMENT = 0.002
#: How long a device is away where that can be said (s).
_AWAY = (0.0, 0.05)


@dataclass(frozen=True, slots=True)
class Plan:
    """``events``: how many (0: until ``seconds`` are over, or somebody ends it). ``commands``: event -> what the shell runs.

    ``names``: the events to choose from; none: all that the host side can be asked for.
    """

    events: int = 0
    seconds: float = 0.0
    seed: int = 0
    asleep: bool = False
    names: tuple[str, ...] = ()
    commands: Mapping[str, Callable[[], object]] = field(default_factory=dict)


class Survivor:
    """One device, from event to event. Raises a :class:`DeviceError` where it does no ordinary work to begin with."""

    def __init__(self, run: DeviceRun, device: Device, options: RunOptions) -> None:
        run.locator, run.simulated, run.device = device.function.locator, device.clock.simulated, introduce(device)
        self.run = run
        self._bring_up = BringUp(device, options, remarks=run.remarks)
        run.not_offered = self._bring_up.choose_if_offered()
        run.offered = device.offered
        run.dialect = self._bring_up.dialect.name if self._bring_up.dialect is not None else ""
        set_interrupts(self._bring_up)
        self.stage = Stage.of(self._bring_up)
        run.interrupts = self.stage.history.way or device.notifications.line.description
        self.judge = Judge(
            {id_: make for id_, make in every_judgement().items() if id_ in _IDS},
            self.stage.history.setting,
            strict=False,
        )
        self._heard: dict[str, list[Observation]] = {}
        self._window: Window | None = None
        self.stage.history.listeners.append(self._hear)
        self._began = device.clock.now()
        self._ordeal: Ordeal | None = None
        self._incident: Incident | None = None
        self._lines = False
        self._cycles = cycles(device)
        self._start()

    def _hear(self, window: Window) -> None:
        if window.of(Happened):
            self._heard, self._window = self.judge.hear(window), window

    def _start(self) -> None:
        stage = self.stage
        stage.history.open("requests before the first event", _IDS)
        stage.deadline.lift()
        stage.start()
        self._lines = stage.traffic.workload is not None and interrupts_arrive(stage)
        for started in stage.history.window.of(Started):
            self.run.accepted = Features(started.accepted)
        if stage.traffic.workload is None:
            raise CannotRun(
                f"{self.run.locator}: {self._bring_up.unmoved or 'there is no workload'}, so nothing can be lost"
            )
        self.run.proves = stage.traffic.workload.proves()

    @property
    def alive(self) -> bool:
        """Whether it is still driven."""
        return not self.run.stopped

    def can(self) -> tuple[str, ...]:
        """Events that its host side can be asked for."""
        own = {name.partition(",")[0] for name in self._cycles}
        return tuple(name for name in EVENTS if name in own or self.stage.traffic.can(name))

    def event(self, name: str, seconds: float) -> tuple[str, Callable[[], object]]:
        """An event by its name, as it is called then, and what has it done."""
        for own, cycle in self._cycles.items():
            if own.partition(",")[0] == name:
                return own, cycle
        return name, partial(self.ask, name, seconds)

    def ask(self, name: str, seconds: float) -> None:
        """Have the host do it."""
        more = {"seconds": seconds} if name in MOVES else {}
        self.stage.traffic.ask_host(name, **more)

    # -- one event ---------------------------------------------------------------------------------------------

    def prepare(self, number: int, load: str, *, asleep: bool, wait: float) -> None:
        """Load it."""
        stage = self.stage
        stage.history.go_on(names.ORDEAL_ASLEEP if asleep else names.ORDEAL, _IDS)
        self._heard, self._window = {}, None
        now = stage.device.clock.now() - self._began
        self._incident = Incident(number, "", False, now, 0.0, load, asleep)
        self._ordeal = Ordeal(stage, load, asleep=asleep, lines=self._lines)
        self._careful(partial(self._ordeal.prepare, wait))

    def _careful(self, work: Callable[[], object]) -> object:
        """Do it; what the device does to prevent that is in the history, and ends it or has it brought up again."""
        assert self._incident is not None, "it was prepared"
        try:
            return work()
        except (DeviceDied, DeviceGone) as error:
            self.run.stopped = str(error)
        except Skip as end:
            self._incident.again = True
            self._incident.reasons.append(str(end))
        except DeviceError as error:
            self.stage.traffic.note(names.BEFORE_EVENT, error)
            self._incident.again = True
        return None

    def strike(self, name: str, ask: Callable[[], object]) -> None:
        """The event, asked for."""
        if self._ordeal is not None and self.alive:
            self._careful(partial(self._ordeal.strike, name, ask))

    def notice(self, gap: Gap, name: str = "a gap in time") -> None:
        """The event, noticed."""
        if self._ordeal is not None and self.alive and not self.stage.history.window.of(Happened):
            self._ordeal.notice(name, gap.seconds, gap.how)

    def aftermath(self) -> None:
        """What becomes of everything."""
        assert self._ordeal is not None, "it was prepared"
        assert self._incident is not None, "it was prepared"
        if self.alive and not self._incident.again and not self._careful(self._ordeal.aftermath):
            self._incident.again = True

    def conclude(self) -> Incident | None:
        """Judge it, and have the device ready for the next; None where nothing happened."""
        incident, stage = self._incident, self.stage
        assert incident is not None, "it was prepared"
        if incident.again and self.alive and not stage.history.window.of(Happened):
            self.notice(Gap(0.0, "what it did to the device"), "something that nobody has noticed")
        happened = next(iter(stage.history.window.of(Happened)), None)
        lefts = stage.history.window.of(Left)
        if incident.again and self.alive:
            self._bring_back()
        else:
            stage.history.go_on(names.ORDEAL, _IDS)
        if happened is None:
            return None
        incident.name, incident.announced, incident.noticed = happened.name, happened.announced, happened.noticed
        incident.seconds = happened.seconds
        incident.out = lefts[0].out if lefts else 0
        incident.lost = lefts[-1].out if lefts else 0
        self._weigh(incident, happened)
        self.run.incidents.append(incident)
        return incident

    def _bring_back(self) -> None:
        """The device is brought up from nothing."""
        try:
            self.stage.end()
            messages = self.stage.device.messages
            if messages is not None:  # the table may have been reset as well
                self.stage.device.use_messages(messages.way, lag=messages.lag)
            self._start()
        except (CannotRun, NotWorking, DeviceError) as error:
            self.run.stopped = f"it could not be brought up again: {error}"

    def _weigh(self, incident: Incident, happened: Happened) -> None:
        if happened.trouble:
            incident.verdict = Verdict.SKIP
            incident.reasons.append(happened.trouble)
        for id_, observations in self._heard.items():
            for each in observations:
                if each.kind is Kind.BROKEN:
                    incident.verdict = Verdict.FAIL
                    incident.reasons.append(f"{id_} ({STATEMENTS[id_].section}): {each.summary}: {each.observed}")
        if self.run.stopped and incident.verdict is Verdict.PASS:
            incident.verdict = Verdict.ERROR
            incident.reasons.append(self.run.stopped)

    def close(self) -> None:
        """Listen no more, and take down what was found out."""
        history = self.stage.history
        history.close()
        history.listeners.remove(self._hear)
        self.run.results = [each for each in self.judge.results(_IDS) if each.verdict is not Verdict.SKIP]
        if self.alive:
            try:
                self.stage.end()
            except UvirtioError as error:
                self.run.stopped = f"it could not be reset in the end: {error}"


def endure(
    run: SurviveRun,
    survivors: Sequence[Survivor],
    plan: Plan,
    progress: Callable[[Incident, DeviceRun], object] = lambda incident, device: None,
) -> None:
    """Events until there were enough of them, or the time is over; what is found out is in the runs of the devices."""
    source, began, done = random.Random(plan.seed), time.monotonic(), 0
    gaps = Gaps()
    try:
        while any(each.alive for each in survivors):
            over = plan.seconds and time.monotonic() - began >= plan.seconds
            if over or (plan.events and done >= plan.events):
                break
            happened = _round(survivors, plan, source, gaps, done + 1, progress)
            done += happened
            if not happened and not plan.seconds and plan.events and _asked_for(survivors, plan):
                break
    finally:
        for each in survivors:
            each.close()
        run.seconds = time.monotonic() - began


def _asked_for(survivors: Sequence[Survivor], plan: Plan) -> bool:
    """Whether events are had by asking for them."""
    return bool(plan.commands) or any(set(each.can()) & set(plan.names or MOVES) for each in survivors)


def _round(
    survivors: Sequence[Survivor], plan: Plan, source: random.Random, gaps: Gaps, number: int,
    progress: Callable[[Incident, DeviceRun], object],
) -> bool:  # fmt: skip
    """All devices under load, one event, and what comes of it; whether there was one."""
    alive = [each for each in survivors if each.alive]
    load, wait, away = source.choice(LOADS), source.uniform(0, _MOMENT) * source.choice((0, 1)), source.uniform(*_AWAY)
    if not _asked_for(survivors, plan):
        load = FULL  # what comes may come at any moment
    for each in alive:
        each.prepare(number, load, asleep=plan.asleep, wait=wait)
    if plan.commands:
        name = source.choice(sorted(plan.commands))
        _commanded(alive, name, plan.commands[name])
    elif _asked_for(alive, plan):
        for each in alive:
            choice = [name for name in each.can() if name in (plan.names or MOVES)]
            if choice:
                each.strike(*each.event(source.choice(choice), away))
    else:
        _watch(alive, gaps)
    for each in alive:
        each.aftermath()
    gaps.worked()
    if not _asked_for(survivors, plan) and (gap := gaps.look()) is not None:
        for each in alive:
            each.notice(gap)
    found = False
    for each in alive:
        if (incident := each.conclude()) is not None:
            found = True
            progress(incident, each.run)
    return found


def _commanded(alive: Sequence[Survivor], name: str, command: Callable[[], object]) -> None:
    """One command for the whole machine, and for all of its devices."""
    first, *others = alive
    first.strike(name, command)
    happened = next(iter(first.stage.history.window.of(Happened)), None)
    for each in others:
        if happened is not None:
            each.stage.history.add(happened._replace(time=each.stage.history.now()))


def _watch(alive: Sequence[Survivor], gaps: Gaps) -> None:
    """Leave the devices alone for a while, and the clocks not."""
    end = time.monotonic() + _WATCHED
    gaps.worked()
    while time.monotonic() < end:
        time.sleep(_NAP)
        if (gap := gaps.look()) is not None:
            for each in alive:
                each.notice(gap)
            return
