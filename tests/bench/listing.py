"""``python -m tests.bench.listing``: what looking costs, with 64 virtio functions in one guest.

``uvirtio list`` beside ``lspci -vv``, per device and without what Python needs to start; and ``uvirtio --version`` beside
bare Python. Each has its turn in every round; ratios are taken within a round, and their median counts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.lab import missing
from tests.vm.boots import BOOTS
from tests.vm.machine import ROOT, Guest, GuestError

__all__ = ["COMPARISONS", "Comparison", "compare", "main", "show"]

#: What one round and everything before the first may take, in seconds.
_ROUND_SECONDS, _START_SECONDS = 60.0, 300.0

#: What a round says: how many functions there are, and how long each command took, in seconds.
Round = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours beside somebody else's, each in seconds out of a round, and how many times theirs ours may take at most."""

    what: str
    other: str
    ours: Callable[[Round], float]
    theirs: Callable[[Round], float]
    target: float


def _listed(command: str) -> Callable[[Round], float]:
    return lambda row: (row["seconds"][command] - row["seconds"][f"{command}-base"]) / row["virtio"]


def _lspci(row: Round) -> float:
    return float(row["seconds"]["lspci"] / row["pci"])


COMPARISONS = (
    Comparison("uvirtio list, per virtio device", "lspci -vv, per device", _listed("list"), _lspci, 5.0),
    Comparison("uvirtio list --json, per virtio device", "lspci -vv, per device", _listed("json"), _lspci, 5.0),
    Comparison(
        "uvirtio --version",
        'python -c "import argparse, json"',
        lambda row: float(row["seconds"]["version"]),
        lambda row: float(row["seconds"]["bare"]),
        1.5,
    ),
)


class _ManyFunctions(Guest):
    """The guest with many entropy devices, measuring instead of testing."""

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        super().__init__("many", BOOTS["many"], [])

    def _words(self) -> list[str]:
        return ["-m", "tests.bench.listing_inside", "--rounds", str(self._rounds)]

    def rounds(self) -> list[Round]:
        """What the guest measured. Raises :class:`GuestError` when it did not get through."""
        try:
            self._process.wait(timeout=_START_SECONDS + self._rounds * _ROUND_SECONDS)
        except subprocess.TimeoutExpired:
            raise GuestError(f"the guest is not done in time\n{self.evidence()}") from None
        path = self._shared / "rounds.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        if len(rows) < self._rounds:
            raise GuestError(f"the guest measured {len(rows)} rounds of {self._rounds}\n{self.evidence()}")
        return rows


def compare(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """A row per comparison: the median of the ratios first, then the median of either side, in milliseconds."""
    rows = []
    for comparison in COMPARISONS:
        ratios = [comparison.ours(row) / comparison.theirs(row) for row in rounds]
        ratio = median(ratios)
        rows.append(
            {
                "what": comparison.what,
                "other": comparison.other,
                "ratio": round(ratio, 2),
                "target": comparison.target,
                "holds": ratio <= comparison.target,
                "lowest": round(min(ratios), 2),
                "highest": round(max(ratios), 2),
                "ms": round(median(map(comparison.ours, rounds)) * 1e3, 2),
                "ms_other": round(median(map(comparison.theirs, rounds)) * 1e3, 2),
            }
        )
    return rows


def show(rows: Sequence[dict[str, Any]], rounds: Sequence[Round]) -> str:
    """As text, ratios first."""
    lines = ["  ratio   target  range                 ms     theirs  what"]
    for row in rows:
        mark = " " if row["holds"] else "!"
        span = f"{row['lowest']:.2f}..{row['highest']:.2f}"
        lines.append(
            f"{mark}{row['ratio']:6.2f}  <={row['target']:5.2f}  {span:<13} {row['ms']:>10.2f} {row['ms_other']:>10.2f}  "
            f"{row['what']} vs {row['other']}"
        )
    whole = {name: median(row["seconds"][name] for row in rounds) for name in ("list", "list-base", "lspci")}
    lines.append(
        f"{rounds[0]['virtio']} virtio of {rounds[0]['pci']} PCI functions, {len(rounds)} rounds; in all, uvirtio list took "
        f"{whole['list']:.2f} s, of which {whole['list-base']:.2f} s to start Python and import, lspci -vv {whole['lspci']:.2f} s"
    )
    return "\n".join(lines)


def _compile() -> None:
    """As an installed package is: the guest cannot write, and would compile everything again in every process."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPYCACHEPREFIX"}
    words = ["-m", "compileall", "-q", "uvirtio", "drivers", "tools"]
    subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, check=True)


def main(words: list[str] | None = None) -> int:
    """Measure and show; 0 when every target holds, 1 when one does not, 3 when something is missing here."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.listing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="how often everything has its turn (default: 9)")
    parser.add_argument("--here", action="store_true", help="measure on this machine instead of in a guest")
    parser.add_argument("--json", metavar="FILE", help="keep every round here")
    args = parser.parse_args(words)
    lacking = [] if args.here else missing("guest")
    if shutil.which("lspci") is None:
        lacking.append("no lspci: apt-get install pciutils")
    if lacking:
        print("\n".join(lacking), file=sys.stderr)
        return 3
    _compile()
    if args.here:
        from tests.bench.listing_inside import measure

        about, rounds = "this machine", list(measure(args.rounds))
    else:
        guest = _ManyFunctions(args.rounds)
        try:
            about = guest.about
            print(f"{about}; load {os.getloadavg()[0]:.1f}", file=sys.stderr)
            rounds = guest.rounds()
        except GuestError as error:
            print(error, file=sys.stderr)
            return 3
        finally:
            guest.close()
    rows = compare(rounds)
    if args.json:
        document = {
            "schema": "uvirtio/bench-listing",
            "version": 1,
            "where": about,
            "comparisons": rows,
            "rounds": rounds,
        }
        Path(args.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(show(rows, rounds))
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
