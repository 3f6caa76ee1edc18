"""Verdicts, and the weight that what was found has for its statement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from uvirtio.spec.dialects import CHROMIUM, V1_4, Dialect
from uvirtio.spec.statements import Level, Statement

__all__ = ["VERDICTS", "Finding", "Verdict", "applies", "skipped", "weigh"]


class Verdict(Enum):
    """The words of every report. ``ERROR``: the check itself broke, or the device broke something else under it."""

    PASS = "PASS"
    FAIL = "FAIL"
    WARN = "WARN"
    SKIP = "SKIP"
    INFO = "INFO"
    ERROR = "ERROR"

    @property
    def against(self) -> bool:
        """Whether it says something against the device, binding or not."""
        return self in (Verdict.FAIL, Verdict.WARN, Verdict.ERROR)

    @property
    def bad(self) -> bool:
        """Whether it makes a run fail."""
        return self in (Verdict.FAIL, Verdict.ERROR)


#: The one mapping to the words of other formats: verdict -> (KTAP ok, KTAP directive, JUnit element).
VERDICTS: dict[str, tuple[bool, str, str]] = {
    "PASS": (True, "", ""),
    "INFO": (True, "", ""),
    "WARN": (True, "", ""),
    "SKIP": (True, "SKIP", "skipped"),
    "FAIL": (False, "", "failure"),
    "ERROR": (False, "", "error"),
}


@dataclass(slots=True)
class Finding:
    """What was found out about a statement: verdict (FAIL for "broken", whatever the level), a sentence, and what it rests on.

    ``evidence`` is JSON-ready: looks at rings, buffers and ISR, the transition, bytes read and written.
    """

    verdict: Verdict
    summary: str
    expected: str = ""
    observed: str = ""
    evidence: dict[str, object] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    #: A warning about what no statement forbids: ``strict`` does not make a failure of it.
    allowed: bool = False


def skipped(why: str) -> Finding:
    """Nothing could be shown."""
    return Finding(Verdict.SKIP, why)


def applies(statement: Statement, dialect: Dialect | None, device_type: int) -> bool:
    """Whether a statement is looked at for a device of this type and dialect (None: it offers no suspend).

    What is demanded of every device is; then the dialect's own, and virtio 1.4's for Chromium.
    """
    if statement.types and device_type not in statement.types:
        return False
    if not statement.dialects or dialect is None:
        return not statement.dialects
    if dialect.name in statement.dialects:
        return True
    return dialect is CHROMIUM and V1_4.name in statement.dialects and not statement.id.startswith(("I", "D"))


_UNBOUND: dict[Verdict, Callable[[Finding], str]] = {
    Verdict.PASS: lambda finding: f"as in virtio 1.4: {finding.summary}",
    Verdict.FAIL: lambda finding: f"differs from 1.4: {finding.summary}",
    Verdict.WARN: lambda finding: f"differs from 1.4: {finding.summary}",
}


def weigh(
    finding: Finding, statement: Statement, dialect: Dialect | None, *, strict: bool, binding: bool = False
) -> Finding:
    """Give a finding the weight of its statement, in place: a broken SHOULD is a WARN (with ``strict`` a FAIL).

    ``binding``: what was seen breaks a MUST as well, so that it is a FAIL whatever its own statement weighs.

    A statement that the specification leaves open is INFO whatever was seen, and so are those of virtio 1.4 for a
    device that speaks the Chromium dialect.
    """
    verdict = finding.verdict
    if verdict is Verdict.FAIL and statement.level.advised and not binding:
        finding.verdict = Verdict.FAIL if strict else Verdict.WARN
    if verdict in (Verdict.PASS, Verdict.FAIL) and statement.level is Level.UNSPECIFIED:
        finding.verdict = Verdict.INFO
    foreign = statement.dialects and CHROMIUM.name not in statement.dialects
    if dialect is CHROMIUM and foreign and verdict in _UNBOUND:
        finding.summary = _UNBOUND[verdict](finding)
        finding.verdict = Verdict.INFO
    elif verdict is Verdict.WARN and strict and not finding.allowed:
        finding.verdict = Verdict.FAIL
    return finding
