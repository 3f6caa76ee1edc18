"""What is compared with what, and which ratio it has to reach; medians of the ratios within each round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

__all__ = ["COMPARISONS", "Comparison", "Figure", "compare", "show", "suspends"]

#: Packets a second of ixy.py, and of a Python loop over AF_PACKET, in one guest: what the targets of net are taken from.
#: On any other machine the second is measured, and stands for the first.
IXY_PER_AF_PACKET = 17_650 / 66_373


@dataclass(frozen=True, slots=True)
class Figure:
    """What one side reached in one turn: ``per_second`` of ``what``."""

    round: int
    what: str
    who: str
    per_second: float

    def __str__(self) -> str:
        return f"{self.round}: {self.what}, {self.who}: {self.per_second:,.0f}"

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours against somebody else's. ``target``: the ratio that has to be reached; None: for scale only."""

    what: str
    other: str
    target: float | None
    #: What the other side is measured at, where that is not the same.
    against: str = ""


COMPARISONS = (
    Comparison("net 60 bytes prepared", "AF_PACKET", 10 * IXY_PER_AF_PACKET, "net 60 bytes"),
    Comparison("net 60 bytes stamped", "AF_PACKET", 6 * IXY_PER_AF_PACKET, "net 60 bytes"),
    Comparison("net 60 bytes prepared", "pktgen", None, "net 60 bytes"),
    Comparison("net 1500 bytes prepared", "AF_PACKET", None, "net 1500 bytes"),
    Comparison("blk 4 KiB depth 32", "fio io_uring", 0.75),
    Comparison("blk 4 KiB depth 1", "preadv", 0.75),
    Comparison("blk 1 MiB depth 4", "fio io_uring", 0.9),
    Comparison("rng 64 bytes depth 32", "hwrng", 1.0, "rng 64 bytes"),
    Comparison("rng 64 bytes depth 1", "hwrng", None, "rng 64 bytes"),
)


def compare(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """A row per comparison: the ratio first, then both medians."""
    taken: dict[tuple[str, str], dict[int, float]] = {}
    for figure in figures:
        taken.setdefault((figure.what, figure.who), {})[figure.round] = figure.per_second
    rows: list[dict[str, Any]] = []
    for comparison in COMPARISONS:
        ours = taken.get((comparison.what, "uvirtio"), {})
        theirs = taken.get((comparison.against or comparison.what, comparison.other), {})
        ratios = [ours[number] / theirs[number] for number in ours.keys() & theirs.keys() if theirs[number]]
        if not ratios:
            continue
        ratio = median(ratios)
        rows.append(
            {
                "what": comparison.what,
                "other": comparison.other,
                "ratio": round(ratio, 3),
                "target": None if comparison.target is None else round(comparison.target, 3),
                "holds": None if comparison.target is None else ratio >= comparison.target,
                "lowest": round(min(ratios), 3),
                "highest": round(max(ratios), 3),
                "uvirtio": round(median(ours.values())),
                "theirs": round(median(theirs.values())),
                "rounds": len(ratios),
            }
        )
    return rows


def suspends(log: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """From a served device's own log: how late the driver looked after a suspend or resume was finished.

    All in microseconds, by the device's clock. ``late``: from the end to the first status read after it, which is the one that
    tells the driver. ``step``: between that read and the one before, as long as the driver slept or a read took.
    """
    late, steps, reads = [], [], []
    finished = before = None
    count = 0
    for entry in log:
        if entry.get("event") in ("suspend requested", "resume requested"):
            count, before = 0, None
        elif entry.get("event") in ("suspend finished", "resume finished"):
            finished = entry["time"]
        elif entry["kind"] == "read" and entry["register"] == "device_status":
            count += 1
            if finished is not None:
                late.append(entry["time"] - finished)
                reads.append(count)
                if before is not None:
                    steps.append(entry["time"] - before)
                finished = None
            before = entry["time"]
    if not late:
        return {}
    return {
        "transitions": len(late),
        "us_late": _microseconds(median(late)),
        "us_late_most": _microseconds(max(late)),
        "us_step": _microseconds(median(steps)) if steps else None,
        "us_step_most": _microseconds(max(steps)) if steps else None,
        "reads": median(reads),
    }


def _microseconds(seconds: float) -> float:
    return round(seconds * 1e6, 1)


def show(rows: Sequence[dict[str, Any]], polls: dict[str, dict[str, Any]], late: dict[str, dict[str, Any]]) -> str:
    """As text, ratios first. ``polls`` and ``late``: what the wait costs, and how late the end of a suspend was seen, by place."""
    lines = ["  ratio  target  range          uvirtio/s    theirs/s  what"]
    for row in rows:
        target = "-" if row["target"] is None else f"{row['target']:.2f}"
        mark = "!" if row["holds"] is False else " "
        span = f"{row['lowest']:.2f}..{row['highest']:.2f}"
        lines.append(
            f"{mark}{row['ratio']:6.2f}  {target:>6}  {span:<13} {row['uvirtio']:>10,}  {row['theirs']:>10,}  "
            f"{row['what']} vs {row['other']}"
        )
    for name, row in polls.items():
        lines.append(
            f"{name}: a read in the wait takes {row['ratio_to_bare']:.2f} times a bare one, {row['ns_more_per_read']:.0f} ns "
            f"more than {row['ns_bare']:.0f}"
        )
    for name, row in late.items():
        if row:
            lines.append(
                f"{name}: seen {row['us_late']:.0f} us after the device had finished (most: {row['us_late_most']:.0f}), "
                f"the looks before being {row['us_step']:.0f} us apart; {row['transitions']} transitions"
            )
    return "\n".join(lines)
