"""One result object for a whole run; every report, and every later one from a file, is made from its document."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from uvirtio import __version__
from uvirtio.access.trace import Access, Published
from uvirtio.spec.dialects import Dialect
from uvirtio.spec.features import Features
from uvirtio.spec.statements import CHAPTERS, STATEMENTS, Statement
from uvirtio.suspend import Transition

from .. import exits
from ..driving.machine import describe_machine
from .events import HistoryEvent
from .history import Setting
from .history_file import Recorded
from .latency import Latency
from .verdict import Finding, Verdict

__all__ = ["SCHEMA", "VERSION", "CheckResult", "CheckRun", "condense"]

SCHEMA = "uvirtio/check"
VERSION = 1
#: Accesses kept per result, where the verdict calls for a look and where it does not.
KEPT_BAD, KEPT_GOOD = 120, 24


def condense(events: Iterable[HistoryEvent], limit: int) -> list[dict[str, object]]:
    """The newest accesses as JSON objects, with reads that repeat the one before counted."""
    newest = deque((event for event in events if isinstance(event, Access | Published)), limit)
    lines = []
    for event in newest:
        line = event.to_json()
        if isinstance(event, Access) and event.repeats > 1:
            line |= {"repeated": event.repeats, "last": round(event.last, 9)}
        lines.append(line)
    return lines


@dataclass(slots=True)
class CheckResult:
    """One statement's verdict with all that it rests on."""

    statement: Statement
    finding: Finding
    seconds: float = 0.0
    accesses: list[dict[str, object]] = field(default_factory=list)
    deviations: list[str] = field(default_factory=list)
    #: See :mod:`.moments`; of a verdict against the device alone.
    timeline: list[dict[str, object]] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        return self.finding.verdict

    def to_json(self) -> dict[str, object]:
        """As a JSON object: at least ``id`` and ``verdict``."""
        statement, finding = self.statement, self.finding
        return {
            "id": statement.id,
            "verdict": finding.verdict.value,
            "level": statement.level.value,
            "side": statement.side.value,
            "text": statement.text,
            "section": statement.section,
            "summary": finding.summary,
            "expected": finding.expected,
            "observed": finding.observed,
            "remarks": finding.remarks,
            "deviations": self.deviations,
            "seconds": self.seconds,
            "evidence": finding.evidence,
            "accesses": self.accesses,
            **({"timeline": self.timeline} if self.timeline else {}),
        }


#: Chapters whose statements can be judged without data being moved.
_STILL = ("pci", "basic")


@dataclass(slots=True)
class CheckRun:
    """A run: who was judged, how, and what came out."""

    locator: str
    strict: bool = False
    timeout: float = 10.0
    hold: float = 0.2
    cycles: int = 0
    seed: int = 0
    only: list[str] = field(default_factory=list)
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    machine: dict[str, str] = field(default_factory=describe_machine)
    device: dict[str, object] = field(default_factory=dict)
    dialect: Dialect | None = None
    offered: Features = field(default_factory=Features)
    accepted: Features = field(default_factory=Features)
    simulated: bool = False
    workload: str = ""
    remarks: list[str] = field(default_factory=list)
    results: list[CheckResult] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    stopped: str = ""
    interrupted: bool = False
    not_offered: str = ""
    require_suspend: bool = False

    def recorded(self) -> Recorded:
        """What a history of it ends with."""
        return Recorded(
            self.locator, self.started, self.machine, self.device, self.offered.mask, self.accepted.mask, self.simulated,
            self.workload, self.remarks, self.cycles, self.seed, self.only, self.stopped, self.interrupted, self.not_offered,
        )  # fmt: skip

    @classmethod
    def of(cls, recorded: Recorded, setting: Setting, *, strict: bool, only: list[str]) -> CheckRun:
        """A run as it was recorded, without its results."""
        return cls(
            recorded.locator, strict, setting.timeout, setting.hold, recorded.cycles, recorded.seed, only, recorded.started,
            recorded.machine, recorded.device, setting.speaks, Features(recorded.offered), Features(recorded.accepted),
            recorded.simulated, recorded.workload, recorded.remarks, stopped=recorded.stopped,
            interrupted=recorded.interrupted, not_offered=recorded.not_offered,
        )  # fmt: skip

    @property
    def status(self) -> int:
        """The exit status."""
        if self.interrupted:
            return exits.INTERRUPTED
        if self._lacks_suspend:
            return exits.FAILED
        if self.not_offered and not self.results and not self.stopped:
            return exits.NOT_OFFERED
        if self.stopped or any(result.verdict.bad for result in self.results):
            return exits.FAILED
        return exits.HOLDS

    @property
    def verdict(self) -> Verdict:
        """The whole in one word. Where no data was moved, what was seen of the status alone is no PASS."""
        seen = {result.verdict for result in self.results}
        if Verdict.FAIL in seen or self._lacks_suspend:
            return Verdict.FAIL
        if self.stopped or self.interrupted or Verdict.ERROR in seen:
            return Verdict.ERROR
        for word in (Verdict.WARN, Verdict.PASS, Verdict.INFO):
            if word in seen:
                return Verdict.WARN if word is Verdict.PASS and self._moved_nothing else word
        return Verdict.SKIP

    @property
    def _lacks_suspend(self) -> bool:
        return bool(self.require_suspend and self.not_offered)

    @property
    def _moved_nothing(self) -> bool:
        """Whether statements that are about a working device are kept by one on which no data was moved."""
        still = {id_ for chapter in _STILL for id_ in CHAPTERS.get(chapter, ())}
        return not self.workload and any(
            result.verdict is Verdict.PASS and result.statement.id not in still for result in self.results
        )

    def to_json(self) -> dict[str, object]:
        """The document of ``--format json``."""
        order = list(STATEMENTS)
        results = sorted(self.results, key=lambda result: order.index(result.statement.id))
        counts = Counter(result.verdict.value for result in results)
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "release": __version__,
            "locator": self.locator,
            "started": self.started,
            "verdict": self.verdict.value,
            "exit_status": self.status,
            "interrupted": self.interrupted,
            "stopped": self.stopped or None,
            "not_offered": self.not_offered or None,
            "counts": {word.value: counts.get(word.value, 0) for word in Verdict},
            "machine": self.machine,
            "device": self.device,
            "dialect": self.dialect.name if self.dialect else None,
            "features": {"offered": str(self.offered), "accepted": str(self.accepted)},
            "simulated_time": self.simulated,
            "workload": self.workload,
            "options": {
                "strict": self.strict, "timeout": self.timeout, "hold": self.hold, "cycles": self.cycles,
                "seed": self.seed, "only": self.only, "require_suspend": self.require_suspend,
            },
            "remarks": self.remarks,
            "results": [result.to_json() for result in results],
            "latency": {
                kind: Latency.of(t for t in self.transitions if t.kind == kind).to_json() for kind in ("suspend", "resume")
            },
        }  # fmt: skip
