"""What became of one virtual machine."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from .. import exits

__all__ = ["Outcome"]

#: How many of its last lines are kept.
_LINES = 25


@dataclass(slots=True)
class Outcome:
    """One machine: what it was asked to do, what came back, how it ended."""

    run: str
    ready: str = ""
    """Which versions run in it; empty as long as it has not said so."""
    over: int | None = None
    """The status that the guest has told; None as long as it has told none."""
    stopped: str = ""
    """Why it did not come to its end; empty where it did."""
    status: int = exits.FAILED
    """The status for that: of what it told, else what it means that it did not."""
    spoke: bool = False
    """Whether its console has said anything at all."""
    seconds: float = 0.0
    results: dict[str, bytes] = field(default_factory=dict)
    """``N.json`` and ``N.tap`` of each command in it."""
    commands: list[tuple[str, int]] = field(default_factory=list)
    """Each command in it, with its status."""
    damaged: list[str] = field(default_factory=list)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))
    """The last ones of the console that were no frames."""
    output: list[str] = field(default_factory=list)
    """What its commands have said, as far as it is kept."""
    again: bool = False
    """Whether it is the second time, alone."""

    @property
    def died(self) -> bool:
        """Whether the machine did not come to its end."""
        return self.over is None

    def documents(self) -> list[dict[str, Any]]:
        """The JSON documents of its commands, those of several devices one by one."""
        found: list[dict[str, Any]] = []
        for name, data in sorted(self.results.items()):
            if name.endswith(".json"):
                try:
                    document = json.loads(data)
                except ValueError:
                    continue
                several = document.get("results") if document.get("schema") == "uvirtio/comparison" else None
                found += several if isinstance(several, list) else [document]
        return found

    def sentence(self) -> str:
        """How it ended."""
        if self.stopped:
            return self.stopped
        return f"status {self.status} after {self.seconds:.0f} s"
