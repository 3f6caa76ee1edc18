"""The table of histories: which statement each is about, and what has to be said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from uvirtio.spec.statements import STATEMENTS, Level
from uvirtio_tools.judging.judge import Judge
from uvirtio_tools.judging.observation import Kind
from uvirtio_tools.judging.result import CheckResult
from uvirtio_tools.statements import every_judgement

from .tale import Tale

__all__ = ["BROKEN", "CASES", "KEPT", "MOOT", "NOTED", "TOLD", "Case", "broken_by", "judged", "tells"]

KEPT, BROKEN, MOOT, NOTED, TOLD = Kind.KEPT, Kind.BROKEN, Kind.MOOT, Kind.NOTED, Kind.TOLD


@dataclass(frozen=True)
class Case:
    """A history about one statement. ``said``: words of what has to be said; ``broken``: all statements that it breaks."""

    id: str
    kind: Kind
    said: str
    verdict: str
    broken: frozenset[str]
    tell: Callable[[Tale], None]

    def __str__(self) -> str:
        return f"{self.id} {self.kind.value}: {self.tell.__name__.replace('_', ' ')}"

    def told(self) -> Tale:
        """The history."""
        tale = Tale()
        self.tell(tale)
        return tale


CASES: list[Case] = []


def tells(
    id_: str, kind: Kind, said: str, *, breaks: str | None = None, verdict: str = ""
) -> Callable[[Callable[[Tale], None]], Callable[[Tale], None]]:
    """Register a history. ``breaks``: ids of the statements that are broken in it, if not just its own or none.

    ``verdict``: where it is not the one that a statement of this level has for it.
    """
    broken = frozenset((breaks if breaks is not None else id_ if kind is BROKEN else "").split())

    def register(function: Callable[[Tale], None]) -> Callable[[Tale], None]:
        CASES.append(Case(id_, kind, said, verdict or _usual(id_, kind), broken, function))
        return function

    return register


def _usual(id_: str, kind: Kind) -> str:
    if kind is BROKEN:
        return "WARN" if STATEMENTS[id_].level.advised else "FAIL"
    if kind is KEPT and STATEMENTS[id_].level is Level.UNSPECIFIED:
        return "INFO"
    return {KEPT: "PASS", MOOT: "SKIP", NOTED: "WARN", TOLD: "INFO"}[kind]


def judged(tale: Tale, *, strict: bool = False) -> Judge:
    """Every statement on every window, in order."""
    judge = Judge(every_judgement(), tale.setting, strict=strict)
    for window in tale.windows:
        judge.hear(window)
    return judge


def broken_by(judge: Judge) -> set[str]:
    """The statements that were broken."""
    return {id_ for id_, tally in judge.tallies.items() if BROKEN in tally.first}


def words(result: CheckResult) -> str:
    """All that is said of a statement."""
    finding = result.finding
    return " | ".join(filter(None, [finding.summary, finding.observed, *finding.remarks]))
