"""What a result document has to be like for the reports to rely on it: a file may be damaged, or made to mislead."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from uvirtio.errors import SnapshotError
from uvirtio.spec.statements import STATEMENTS

from ..codec import decode
from ..judging.moments import LANES
from ..judging.verdict import VERDICTS

__all__ = ["check"]

#: How the ids of statements are made; another release may have more of them than this one.
_ID = re.compile(r"[A-Z]{1,8}[0-9]{1,5}")
_MOST = 1 << 63
_QUANTILES = ("minimum", "median", "p90", "p99", "maximum")


@dataclass(frozen=True, slots=True)
class _Access:
    time: float = 0.0
    kind: str = ""
    space: str = ""
    register: str = ""
    value: str = ""
    repeated: int = 0
    deviation: str | None = None


@dataclass(frozen=True, slots=True)
class _Moment:
    time: float
    lane: str
    kind: str
    text: str
    value: int = 0
    status: int = 0
    until: float = 0.0
    count: int = 1


@dataclass(frozen=True, slots=True)
class _Result:
    id: str
    verdict: str
    level: str
    side: str
    text: str
    section: str
    summary: str
    expected: str
    observed: str
    remarks: list[str]
    deviations: list[str]
    seconds: float
    evidence: dict[str, Any]
    accesses: list[_Access]
    timeline: list[_Moment] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Latency:
    count: int
    minimum: float = 0.0
    median: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    maximum: float = 0.0
    histogram: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Document:
    locator: str
    verdict: str
    exit_status: int
    machine: dict[str, str]
    device: dict[str, Any]
    features: dict[str, str]
    options: dict[str, Any]
    counts: dict[str, int]
    remarks: list[str]
    results: list[_Result]
    latency: dict[str, _Latency]
    started: str = ""
    dialect: str | None = None
    stopped: str | None = None
    not_offered: str | None = None
    interrupted: bool = False
    simulated_time: bool = False


def check(document: dict[str, Any], where: str) -> None:
    """Raise :class:`SnapshotError`, which says where it is damaged, unless everything is what stands there."""
    where = f"{where}: result"
    found = decode(_Document, document, where)
    _verdict(found.verdict, where)
    for word, count in found.counts.items():
        _verdict(word, f"{where}.counts")
        _number(count, f"{where}.counts[{word}]")
    seen: set[str] = set()
    for at, result in enumerate(found.results):
        place = f"{where}.results[{at}]"
        if result.id not in STATEMENTS and not _ID.fullmatch(result.id):
            raise SnapshotError(f"{place}: {result.id[:40]!r} is no statement; the file is damaged")
        if result.id in seen:
            raise SnapshotError(f"{place}: {result.id} is there twice; the file is damaged")
        seen.add(result.id)
        _verdict(result.verdict, place)
        _number(result.seconds, f"{place}.seconds")
        for access in result.accesses:
            _number(access.repeated, f"{place}.accesses")
        for moment in result.timeline:
            _moment(moment, f"{place}.timeline")
    for kind, latency in found.latency.items():
        _latency(latency, document["latency"][kind], f"{where}.latency[{kind}]")


def _moment(moment: _Moment, where: str) -> None:
    if moment.lane not in LANES:
        raise SnapshotError(f"{where}: there is no lane {moment.lane[:40]!r}; the file is damaged")
    for value in (moment.time, moment.until, moment.value, moment.status, moment.count):
        _number(value, where)


def _latency(latency: _Latency, data: dict[str, Any], where: str) -> None:
    _number(latency.count, where)
    needed = {*_QUANTILES, "histogram"} if latency.count else set()
    if missing := sorted(needed - set(data)):
        raise SnapshotError(f"{where}: {', '.join(missing)} missing; the file is damaged")
    for name in _QUANTILES:
        _number(getattr(latency, name), f"{where}.{name}")
    for entry in latency.histogram:
        if set(entry) != {"from", "to", "count"} or not isinstance(entry["count"], int):
            raise SnapshotError(
                f"{where}.histogram: from, to and count are expected, not {', '.join(sorted(entry))[:80]}"
            )
        for name, value in entry.items():
            _number(value, f"{where}.histogram.{name}")


def _verdict(word: str, where: str) -> None:
    if word not in VERDICTS:
        raise SnapshotError(f"{where}: {word[:40]!r} is no verdict; the file is damaged")


def _number(value: float, where: str) -> None:
    if not 0 <= value < _MOST:  # a NaN neither; an integer may be larger than any float
        raise SnapshotError(f"{where}: {str(value)[:40]} is no number that can stand here; the file is damaged")
