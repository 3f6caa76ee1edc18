"""What both commands share: their options, the run, and what is said of it."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .changes import Mutant
from .chosen import choose, reason_of
from .workers import run_all

__all__ = ["FOUND", "LISTED", "SURVIVED", "Outcome", "arguments", "run"]

#: What becomes of a change. ``noticed`` is followed by whom; one that makes Python fail or never ends is no device and no tool.
#: The judge that cannot go on (``stopped``) has noticed, but names nothing that is broken.
NOTICED, STOPPED, BROKEN, HUNG, LISTED, SURVIVED = "noticed", "stopped", "broken", "hung", "listed", "survived"
FOUND = (NOTICED, STOPPED, BROKEN, HUNG)


@dataclass(slots=True)
class Outcome:
    """What became of one change. ``by``: who noticed, with what; ``reason``: of one that was looked at before."""

    mutant: Mutant
    what: str
    by: list[str] = field(default_factory=list)
    detail: str = ""

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        mutant = self.mutant
        return {
            "what": self.what, "by": self.by, "detail": self.detail, "file": mutant.file, "function": mutant.function,
            "line": mutant.line, "change": mutant.change, "nth": mutant.nth, "number": mutant.number,
        }  # fmt: skip


def arguments(what: str) -> argparse.ArgumentParser:
    """The options of a command."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--count", type=int, default=300, help="changes to make (default: 300)")
    parser.add_argument("--seed", type=int, default=0, help="which ones (default: 0)")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="at once (default: one for each processor)"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="what one may take (default: 60)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only changes whose place or line has this in it")
    parser.add_argument("--again", type=Path, metavar="FILE", help="only those that survived in this outcome of --json")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what became of each to a file")
    return parser


def run(
    args: argparse.Namespace, mutants: Iterable[Mutant], work: Callable[[Mutant], dict[str, object]]
) -> list[Outcome]:
    """Make the changes and have ``work`` say, in a process of its own, who notices; prints what became of them."""
    wanted = [mutant for mutant in mutants if args.only in str(mutant)]
    if args.again:
        again = {
            tuple(each[name] for name in _KEY)
            for each in json.loads(args.again.read_text())
            if each["what"] == SURVIVED
        }
        wanted = [mutant for mutant in wanted if tuple(getattr(mutant, name) for name in _KEY) in again]
    chosen = choose(wanted, args.count, args.seed)
    outcomes = [Outcome(mutant, LISTED, detail=reason) for mutant in chosen if (reason := reason_of(mutant))]
    listed = {outcome.mutant for outcome in outcomes}
    jobs = [mutant for mutant in chosen if mutant not in listed]
    for mutant, answer in run_all(jobs, work, workers=args.workers, seconds=args.seconds):
        outcome = _outcome(mutant, answer)
        outcomes.append(outcome)
        print(f"{len(outcomes):4} {outcome.what:9}{', '.join(outcome.by)[:60]:61}{mutant}", flush=True)
    if args.json:
        args.json.write_text(json.dumps([outcome.to_json() for outcome in outcomes], indent=1))
    _tell(outcomes)
    return outcomes


_KEY = ("file", "function", "line", "change", "nth")


def _outcome(mutant: Mutant, answer: dict[str, object]) -> Outcome:
    if answer.get("hung"):
        return Outcome(mutant, HUNG)
    if "raised" in answer:
        return Outcome(mutant, BROKEN, detail=str(answer["raised"]))
    by = answer.get("by")
    if answer.get("stopped"):
        return Outcome(mutant, STOPPED, detail=str(answer["stopped"]))
    if isinstance(by, list) and by:
        return Outcome(mutant, NOTICED, [str(each) for each in by], str(answer.get("detail", "")))
    return Outcome(mutant, SURVIVED, detail=str(answer.get("detail", "")))


def _tell(outcomes: list[Outcome]) -> None:
    for outcome in sorted(outcomes, key=lambda outcome: outcome.mutant):
        if outcome.what == SURVIVED:
            print(f"survived: {outcome.mutant} {outcome.detail}")
    counts = Counter(outcome.what for outcome in outcomes)
    found = counts[NOTICED] + counts[STOPPED]
    share = f"{found / (found + counts[SURVIVED]):.1%}" if found or counts[SURVIVED] else "none"
    print(
        ", ".join(f"{counts[what]} {what}" for what in (*FOUND, LISTED, SURVIVED)),
        f"; {share} of what works was noticed",
    )
