"""A run of ``uvirtio suspend``: cycle by cycle, and as a whole. The terminal report and the JSON document are made from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from uvirtio.spec.dialects import Dialect
from uvirtio.spec.features import Features
from uvirtio.suspend import Transition

from .. import exits
from ..driving.machine import describe_machine
from .events import Drained, Traffic
from .history import Window
from .history_file import Recorded
from .latency import Latency
from .names import AFTER, OUTSTANDING
from .result import CheckResult
from .suspends import suspends
from .verdict import Verdict

__all__ = ["NO_TRAFFIC", "SCHEMA", "Cycle", "SuspendRun"]

SCHEMA = "uvirtio/suspend"
VERSION = 1

#: The name of the workload where there is none.
NO_TRAFFIC = "none"


@dataclass(slots=True)
class Cycle:
    """The result of one cycle. ``verdict``: PASS or FAIL, with ``reasons`` for a FAIL and ``remarks`` otherwise."""

    number: int
    in_flight: int = 0
    finished_before: int = 0
    left_waiting: int = 0
    completed: int = 0
    suspend: Transition | None = None
    resume: Transition | None = None
    verdict: Verdict = Verdict.PASS
    reasons: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, number: int, window: Window) -> Cycle:
        """What its window shows."""
        cycle = cls(number)
        for suspend in suspends(window):
            cycle.in_flight = suspend.in_flight
            cycle.finished_before, cycle.left_waiting = suspend.finished, suspend.waiting
            cycle.suspend = suspend.transition
            cycle.resume = suspend.fallback or suspend.resume
            cycle.completed = suspend.finished
            for transition in (suspend.transition, suspend.resume):
                cycle.remarks += transition.remarks if transition is not None else ()
            if suspend.owed and not suspend.in_flight and suspend.shown:
                cycle.remarks.append("nothing was in flight: the device answers within the notification")
        cycle.completed += sum(each.completed for each in window.of(Drained) if each.doing == OUTSTANDING)
        cycle.completed += sum(each.completed for each in window.of(Traffic) if each.doing == AFTER)
        return cycle

    def fail(self, reason: str) -> None:
        """Make it a FAIL."""
        self.verdict = Verdict.FAIL
        self.reasons.append(reason)

    @property
    def came_about(self) -> bool:
        """Whether the device was suspended and runs again."""
        return all(transition is not None and transition.done for transition in (self.suspend, self.resume))

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return {
            "cycle": self.number,
            "verdict": self.verdict.value,
            "reasons": self.reasons,
            "remarks": self.remarks,
            "in_flight_at_suspend": self.in_flight,
            "finished_before_suspended": self.finished_before,
            "left_waiting_while_suspended": self.left_waiting,
            "completed": self.completed,
            "suspend": self.suspend.to_json() if self.suspend else None,
            "resume": self.resume.to_json() if self.resume else None,
        }


@dataclass(slots=True)
class SuspendRun:
    """Everything that a run found out. ``results``: what every statement made of it that had an occasion."""

    locator: str
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
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
    results: list[CheckResult] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    verdict: Verdict = Verdict.FAIL
    reason: str = ""
    status: int = exits.FAILED

    def recorded(self) -> Recorded:
        """What a history of it ends with."""
        stopped = self.reason if not self.cycles and self.status == exits.FAILED else ""
        return Recorded(
            self.locator, self.started, self.machine, self.device, self.offered.mask, self.accepted.mask, self.simulated,
            "" if self.workload == NO_TRAFFIC else self.proves, self.remarks, self.asked, stopped=stopped,
            interrupted=self.status == exits.INTERRUPTED,
            not_offered=self.reason if self.status == exits.NOT_OFFERED else "",
        )  # fmt: skip

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
            "started": self.started,
            "verdict": self.verdict.value,
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
            "statements": [result.to_json() for result in self.results],
            "summary": {"suspend": self.suspends.to_json(), "resume": self.resumes.to_json()},
        }
