"""The judge: hears every window, keeps what each statement made of it, and gives a finding per statement in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from uvirtio.spec.statements import BLAMED, STATEMENTS, Statement
from uvirtio.spec.statements.model import Need

from .events import Ended, Trouble
from .history import Setting, Window
from .moments import moments, until
from .observation import Kind, Observation, broken
from .result import KEPT_BAD, KEPT_GOOD, CheckResult, condense
from .verdict import Finding, Verdict, applies, skipped, weigh
from .ways import in_messages

__all__ = ["ALSO", "ISR_ALONE", "Judge", "Judgement", "Tally", "speaks_of_notifications"]

#: How a scenario may end, and what became of statements that it was for and that saw nothing in it.
_ERRORS = ("not working", "overdue", "gone", "hangs", "error")
#: Statements about ISR and INTx themselves: messages show nothing of these.
ISR_ALONE = frozenset({"N5", "N6", "N7"})
#: Statements about notifications that ISR need not show to be judged.
_NOTIFIED = frozenset({"N1", "N3"})
#: From what says most against a device to what says nothing of it.
_RANKS = (Verdict.FAIL, Verdict.ERROR, Verdict.WARN, Verdict.PASS, Verdict.INFO, Verdict.SKIP)


def speaks_of_notifications(statement: Statement) -> bool:
    """Whether it is judged by each way of notification that a device has."""
    if statement.id in ISR_ALONE:
        return False
    return bool({Need.ISR, Need.MESSAGES} & {*statement.needs}) or statement.id in _NOTIFIED


class Judgement(Protocol):
    """Says what windows show about one statement."""

    def __call__(self, window: Window, /) -> Iterator[Observation]:
        """What one window shows."""


@dataclass(slots=True)
class _Seen:
    """An observation and the window that it comes from. ``own``: of a scenario that is for the statement."""

    observation: Observation
    window: Window
    own: bool


@dataclass(slots=True)
class Tally:
    """What was seen of one statement so far: the first and the latest observation of each kind, and the latest of its own."""

    first: dict[Kind, _Seen] = field(default_factory=dict)
    last: dict[Kind, _Seen] = field(default_factory=dict)
    own: dict[Kind, _Seen] = field(default_factory=dict)
    #: Why a scenario that is for it came to nothing, as an error.
    error: _Seen | None = None

    @property
    def shown(self) -> bool:
        """Whether it says anything, other than that there was no occasion."""
        return self.error is not None or any(kind is not Kind.MOOT for kind in self.first)

    def add(self, seen: _Seen) -> None:
        """One more."""
        kind = seen.observation.kind
        self.first.setdefault(kind, seen)
        self.last[kind] = seen
        if seen.own:
            self.own[kind] = seen


class Judge:
    """Listens to a history. ``judgements``: id -> what judges it; statements of other dialects are left out."""

    def __init__(self, judgements: Mapping[str, Callable[[], Judgement]], setting: Setting, *, strict: bool) -> None:
        self._setting = setting
        self._dialect = setting.speaks
        self._strict = strict
        self._judgements: dict[str, Judgement] = {
            id_: make()
            for id_, make in judgements.items()
            if applies(STATEMENTS[id_], self._dialect, setting.device_type)
        }
        #: By way of notification (empty: ISR and INTx), each with a tally for every statement.
        self._ways: dict[str, dict[str, Tally]] = {"": {id_: Tally() for id_ in self._judgements}}
        self.tallies = self._ways[""]

    def hear(self, window: Window) -> dict[str, list[Observation]]:
        """Judge a window; what each statement made of it."""
        found: dict[str, list[Observation]] = {}
        tallies = self._ways.setdefault(window.way, {id_: Tally() for id_ in self._judgements})
        for id_, judgement in self._judgements.items():
            if window.way and id_ in ISR_ALONE:
                continue
            if observations := list(judgement(window)):
                found[id_] = observations
        if window.way:
            found = {id_: [in_messages(each) for each in observations] for id_, observations in found.items()}
        for id_, observations in list(found.items()):
            for observation in observations:
                for other, how in observation.also.items():
                    if other in tallies:
                        more = Observation(
                            Kind.BROKEN, ALSO, STATEMENTS[other].text, f"{how} (seen in {id_})", observation.evidence
                        )
                        found.setdefault(other, []).append(more)
        if (ended := window.ended) is not None and ended.blames in tallies:
            fate = "the device hangs" if ended.how == "hangs" else "the device died"
            what = broken(fate, STATEMENTS[ended.blames].text, ended.text)
            found.setdefault(ended.blames, []).append(what)
        for id_, observations in found.items():
            for observation in observations:
                tallies[id_].add(self._seen(id_, observation, window))
        if ended is not None:
            self._note_end(window, ended, found)
        return found

    def _note_end(self, window: Window, ended: Ended, found: Mapping[str, list[Observation]]) -> None:
        how, text, tallies = ended.how, ended.text, self._ways[window.way]
        blamed = [BLAMED[event.rule] for event in window.of(Trouble) if event.rule in BLAMED]
        if ended.blames:
            blamed = [ended.blames]
        if how in _ERRORS and blamed:
            how, text = "blamed", f"{text}; see {blamed[0]}"
        for id_ in window.shows:
            if id_ not in tallies:
                continue
            seen = self._seen(id_, Observation(Kind.MOOT, text), window)
            if how in _ERRORS:
                if not any(each.kind is Kind.BROKEN for each in found.get(id_, ())):
                    tallies[id_].error = tallies[id_].error or seen
            elif id_ not in found:
                tallies[id_].add(seen)

    @staticmethod
    def _seen(id_: str, observation: Observation, window: Window) -> _Seen:
        return _Seen(observation, window, id_ in window.shows)

    def _tallies(self, id_: str) -> dict[str, Tally]:
        """What was seen of a statement, by way of notification. ISR says nothing of messages."""
        alone = len(self._ways) > 1 and Need.MESSAGES in STATEMENTS[id_].needs
        return {way: tallies[id_] for way, tallies in self._ways.items() if way or not alone}

    def shown(self, id_: str, way: str | None = None) -> bool:
        """Whether something was found out about a statement, by one way of notification or by any; not that there was no occasion."""
        return any(tally.shown for name, tally in self._tallies(id_).items() if way in (None, name))

    def heard(self, id_: str) -> bool:
        """Whether a scenario that is for a statement has run."""
        own = any(seen.own for tally in self._tallies(id_).values() for seen in tally.first.values())
        return self.shown(id_) or own

    def results(self, ids: Iterable[str], *, unheard: str = "", interrupted: bool = False) -> list[CheckResult]:
        """What was found out about these, weighed; or why they were not heard of, or that the run was interrupted before."""
        return [self._result(id_, unheard, interrupted) for id_ in ids if id_ in self._judgements]

    def _result(self, id_: str, unheard: str, interrupted: bool) -> CheckResult:
        if not self.shown(id_) and interrupted:
            return CheckResult(STATEMENTS[id_], skipped("interrupted before a verdict"))
        if unheard and not self.heard(id_):
            return CheckResult(STATEMENTS[id_], skipped(f"not run: {unheard}"))
        return self.result(id_)

    def result(self, id_: str) -> CheckResult:
        """What was found out about one statement, weighed."""
        statement = STATEMENTS[id_]
        seen, finding = self._weakest(statement)
        binding = bool(seen and seen.observation.kind is Kind.BROKEN and self._others(id_, seen.observation))
        if seen is not None and binding:
            others = self._others(id_, seen.observation)
            finding.remarks += [f"this breaks {other} as well: {how}" for other, how in others.items()]
        weigh(finding, statement, self._dialect, strict=self._strict, binding=binding)
        result = CheckResult(statement, finding)
        if seen is not None:
            result.seconds, result.deviations = seen.window.seconds, seen.window.deviations
            events = seen.window.events
            if finding.verdict.against:
                events = until(seen.window, finding.evidence)
                result.timeline = moments(events)
            result.accesses = condense(events, KEPT_BAD if finding.verdict.against else KEPT_GOOD)
        return result

    def _weakest(self, statement: Statement) -> tuple[_Seen | None, Finding]:
        """What was concluded by the way of notification that says most against the device; the others are named with it."""
        tallies = self._tallies(statement.id)
        concluded = {way: self._conclude(statement, tally) for way, tally in tallies.items()}
        way = min(concluded, key=lambda each: (_RANKS.index(concluded[each][1].verdict), concluded[each][0] is None))
        seen, finding = concluded[way]
        if way and finding.verdict in (Verdict.FAIL, Verdict.WARN):
            finding.observed = f"{finding.observed} (by {way})".strip()
        elif way and speaks_of_notifications(statement):
            finding.remarks.append(f"by {way}")
        if not speaks_of_notifications(statement):
            return seen, finding
        for other, (found, further) in concluded.items():
            if other != way and found is not None and (other or way):
                name = other or "ISR and INTx"
                finding.remarks.append(f"by {name}: {further.verdict.value}: {further.summary}")
                if further.evidence:
                    finding.evidence[f"by {name}"] = further.evidence
        return seen, finding

    def weight(self, id_: str, observation: Observation) -> Verdict:
        """What a broken statement weighs by itself."""
        finding = Finding(Verdict.FAIL, observation.summary)
        binding = bool(self._others(id_, observation))
        return weigh(finding, STATEMENTS[id_], self._dialect, strict=self._strict, binding=binding).verdict

    def _others(self, id_: str, observation: Observation) -> dict[str, str]:
        return {other: how for other, how in observation.also.items() if other != id_ and self._binds(other)}

    def _binds(self, id_: str) -> bool:
        """Whether a statement is the device's own, and not only that of another dialect."""
        dialects = STATEMENTS[id_].dialects
        return not dialects or (self._dialect is not None and self._dialect.name in dialects)

    def _conclude(self, statement: Statement, tally: Tally) -> tuple[_Seen | None, Finding]:
        first = tally.first
        if (seen := first.get(Kind.BROKEN)) is not None:
            return seen, self._failed(seen, tally)
        if tally.error is not None:
            return tally.error, Finding(Verdict.ERROR, tally.error.observation.summary)
        if (seen := first.get(Kind.NOTED)) is not None:
            finding = _finding(Verdict.WARN, seen)
            finding.allowed = not seen.observation.strict
            return seen, finding
        for kind, verdict in ((Kind.KEPT, Verdict.PASS), (Kind.TOLD, Verdict.INFO)):
            if (seen := tally.own.get(kind) or tally.last.get(kind)) is not None:
                return seen, _finding(verdict, seen)
        if (seen := _reason(tally)) is not None:
            return seen, _finding(Verdict.SKIP, seen)
        return None, skipped("there was no occasion to see it")

    def _failed(self, seen: _Seen, tally: Tally) -> Finding:
        finding = _finding(Verdict.FAIL, seen)
        if not seen.own:
            if seen.window.shows and "(seen in " not in finding.observed:
                finding.observed += f" (seen in {seen.window.shows[0]})"
            own = tally.own.get(Kind.KEPT) or _reason(tally)
            if own is not None:
                word = Verdict.PASS if own.observation.kind is Kind.KEPT else Verdict.SKIP
                finding.remarks.append(f"in its own scenarios: {word.value}: {own.observation.summary}")
        return finding


def _reason(tally: Tally) -> _Seen | None:
    """Why there was no occasion: as the statement's own scenarios say, where they do."""
    return tally.own.get(Kind.MOOT) or tally.first.get(Kind.MOOT)


#: The summary of an observation that was made while another statement was looked at.
ALSO = "broken, as was seen while another statement was looked at"


def _finding(verdict: Verdict, seen: _Seen) -> Finding:
    told = seen.observation
    return Finding(verdict, told.summary, told.expected, told.observed, dict(told.evidence), list(told.remarks))
