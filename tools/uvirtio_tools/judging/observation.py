"""What a statement says about a window: kept, broken, moot, noted or told, each with what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

__all__ = ["Evidence", "Kind", "Observation", "broken", "kept", "moot", "noted", "told"]


#: What an observation rests on, by name: JSON-ready.
Evidence = dict[str, Any]


class Kind(Enum):
    """``KEPT``: there was an occasion to break it, of the strength that it takes, and it was not broken. ``MOOT``: there
    was none. ``NOTED``: worth a warning, and breaks nothing. ``TOLD``: worth knowing."""

    KEPT = "kept"
    BROKEN = "broken"
    MOOT = "moot"
    NOTED = "noted"
    TOLD = "told"


@dataclass(slots=True)
class Observation:
    """One of these, with a sentence.
    ``also``: other statements that what was seen breaks as well, and how. ``strict``: a note that becomes a failure where
    a broken SHOULD does.
    """

    kind: Kind
    summary: str
    expected: str = ""
    observed: str = ""
    evidence: Evidence = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    also: dict[str, str] = field(default_factory=dict)
    strict: bool = True


def kept(summary: str, *, remarks: tuple[str, ...] = (), **evidence: Any) -> Observation:
    """There was an occasion, and the statement held."""
    return Observation(Kind.KEPT, summary, evidence=dict(evidence), remarks=remarks)


def broken(
    summary: str,
    expected: str,
    observed: str,
    *,
    also: dict[str, str] | None = None,
    remarks: tuple[str, ...] = (),
    **evidence: Any,
) -> Observation:
    """The statement was broken."""
    return Observation(Kind.BROKEN, summary, expected, observed, dict(evidence), remarks, also or {})


def moot(why: str) -> Observation:
    """There was no occasion."""
    return Observation(Kind.MOOT, why)


def noted(
    summary: str,
    expected: str = "",
    observed: str = "",
    *,
    strict: bool = True,
    remarks: tuple[str, ...] = (),
    **evidence: Any,
) -> Observation:
    """Worth a warning."""
    return Observation(Kind.NOTED, summary, expected, observed, dict(evidence), remarks, strict=strict)


def told(summary: str, **evidence: Any) -> Observation:
    """Worth knowing; the specification does not say."""
    return Observation(Kind.TOLD, summary, evidence=dict(evidence))
