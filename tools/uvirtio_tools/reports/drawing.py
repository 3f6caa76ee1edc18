"""A timeline as SVG, to scale: one scale for all of it, and a mark where a time is left out in which nothing happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from uvirtio.spec.status import Status, describe

from ..judging.moments import INTERRUPTS, LANES, REGISTERS, RING
from .document import Document
from .phrases import seconds

__all__ = ["draw", "stretches"]

WIDTH, LEFT, RIGHT = 960, 84, 16
BREAK = 54
#: Where the lanes stand, from the top; the band of the status above them, the axis below.
BAND, TOPS, BOTTOM, HEIGHT = 52, {REGISTERS: 104, RING: 148, INTERRUPTS: 192}, 218, 252
#: A silence longer than this part of all that is drawn is left out, as often as this.
SILENT, CUTS = 0.35, 5
#: Width of a letter of a label.
LETTER = 6.2


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a time stands: each stretch from ``start`` to ``end`` (s) begins at ``x`` and is drawn to the one scale."""

    stretches: tuple[tuple[float, float, float], ...]
    per_second: float

    def __call__(self, time: float) -> float:
        for start, end, x in self.stretches:
            if time <= end:
                return x + max(0.0, time - start) * self.per_second
        start, end, x = self.stretches[-1]
        return x + (end - start) * self.per_second


def stretches(times: Iterable[float]) -> list[tuple[float, float]]:
    """The stretches of time in which something happened, from (s) to (s), where long silences are left out."""
    points = sorted(set(times))
    gaps = sorted(((after - before, before) for before, after in pairwise(points)), reverse=True)
    whole, cut = points[-1] - points[0], set()
    for length, start in gaps[: min(CUTS, max(0, len(gaps) - 2))]:
        if whole <= 0 or length < SILENT * whole:
            break
        cut.add(start)
        whole -= length
    found, start = [], points[0]
    for before, after in pairwise(points):
        if before in cut:
            found.append((start, before))
            start = after
    return [*found, (start, points[-1])]


def _scale(times: Iterable[float]) -> _Scale:
    parts = stretches(times)
    active = sum(end - start for start, end in parts)
    room = WIDTH - LEFT - RIGHT - BREAK * (len(parts) - 1) - 12
    per_second = room / active if active > 0 else 0.0
    x, placed = LEFT + 6.0, []
    for start, end in parts:
        placed.append((start, end, x))
        x += (end - start) * per_second + BREAK
    return _Scale(tuple(placed), per_second)


def draw(moments: Sequence[Document]) -> str:
    """The figure. Empty where there is nothing to draw."""
    if not moments:
        return ""
    scale = _scale([time for each in moments for time in (each["time"], each.get("until") or each["time"])])
    last = moments[-1]["time"]
    parts = [*_lanes(), *_band(moments, scale, last), *_axis(scale)]
    parts += [_mark(each, scale) for each in moments]
    parts += _labels(moments, scale)
    words = f"Timeline of {len(moments)} moments in {seconds(last - moments[0]['time'])}: registers, ring, interrupts"
    return (
        f'<svg class="timeline" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">'
        f"{''.join(parts)}</svg>"
    )


def _lanes() -> list[str]:
    found = [_text(4, BAND + 11, "status", "lane")]
    for lane in LANES:
        y = TOPS[lane]
        found.append(f'<line class="rail" x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>')
        found.append(_text(4, y + 4, lane, "lane"))
    return found


def _band(moments: Sequence[Document], scale: _Scale, last: float) -> list[str]:
    """What the device said its status was, from each read of it to the next."""
    reads = [each for each in moments if "status" in each and each["kind"] == "read"]
    found = []
    for number, each in enumerate(reads):
        end = reads[number + 1]["time"] if number + 1 < len(reads) else last
        left, right = scale(each["time"]), scale(max(end, each.get("until") or 0))
        kind = _state(each["status"])
        title = f"{kind}: {describe(each['status'])}, from {seconds(each['time'] - moments[0]['time'])} on"
        found.append(
            f'<rect class="state {kind.replace(" ", "-")}" x="{left:.1f}" y="{BAND}" width="{max(right - left, 1.5):.1f}" height="14">'
            f"<title>{escape(title)}</title></rect>"
        )
    return found


def _state(status: int) -> str:
    if status & (Status.FAILED | Status.DEVICE_NEEDS_RESET):
        return "needs reset"
    if status & Status.SUSPEND:
        return "suspending" if status & Status.DRIVER_OK else "suspended"
    if status & Status.DRIVER_OK:
        return "running"
    return "starting" if status else "reset"


def _axis(scale: _Scale) -> list[str]:
    first = scale.stretches[0][0]
    found, taken = [], 0.0
    for number, (start, end, x) in enumerate(scale.stretches):
        right = x + (end - start) * scale.per_second
        found.append(f'<line class="axis" x1="{x - 4:.1f}" y1="{BOTTOM}" x2="{right + 4:.1f}" y2="{BOTTOM}"/>')
        for time, at in ((start, x), (end, right)):
            label = "0" if time == first else f"+{seconds(time - first)}"
            half = len(label) * LETTER / 2
            if at - half < taken:
                continue
            found.append(f'<line class="axis" x1="{at:.1f}" y1="{BOTTOM}" x2="{at:.1f}" y2="{BOTTOM + 5}"/>')
            found.append(_text(at, BOTTOM + 18, label, "tick"))
            taken = at + half + 6
        if number + 1 < len(scale.stretches):
            silence = scale.stretches[number + 1][0] - end
            middle = right + BREAK / 2
            found.append(
                f'<path class="break" d="M{middle - 5:.1f} {BOTTOM + 6}l4 -12m4 12l4 -12"/>'
                f'<line class="break" x1="{middle:.1f}" y1="{BAND + 20}" x2="{middle:.1f}" y2="{BOTTOM - 10}"/>'
            )
            found.append(_text(middle, HEIGHT - 3, f"({seconds(silence)})", "gap"))
    return found


def _mark(each: Document, scale: _Scale) -> str:
    x, y, kind = scale(each["time"]), TOPS[each["lane"]], each["kind"]
    title = f"<title>{escape(_told(each))}</title>"
    if each.get("until"):
        end = scale(each["until"])
        shown = " shown" if each["lane"] == INTERRUPTS and each.get("value") else ""
        return (
            f'<rect class="reads{shown}" x="{x:.1f}" y="{y}" width="{max(end - x, 1.5):.1f}" height="8">{title}</rect>'
        )
    if kind == "look":
        return f'<line class="look" x1="{x:.1f}" y1="{BAND + 18}" x2="{x:.1f}" y2="{BOTTOM}">{title}</line>'
    if kind in ("read", "write"):
        down = kind == "read"
        shown = " shown" if each["lane"] == INTERRUPTS and down and each.get("value") else ""
        return f'<rect class="{kind}{shown}" x="{x - 1:.1f}" y="{y if down else y - 16}" width="2" height="{10 if down else 16}">{title}</rect>'
    shapes = {
        "available": f"M{x:.1f} {y - 12}l4 10h-8z",
        "used": f"M{x:.1f} {y + 12}l4 -10h-8z",
        "moved": f"M{x:.1f} {y + 12}l5 -11h-10z",
        "wrong": f"M{x - 6:.1f} {y - 6}l12 12m0 -12l-12 12",
    }
    path = shapes.get(kind, f"M{x:.1f} {y - 6}l6 6l-6 6l-6 -6z")
    return f'<path class="{escape(kind)}" d="{path}">{title}</path>'


def _told(each: Document) -> str:
    times = f", {each['count']} times" if each.get("until") else ""
    return f"{each['time']:.6f} s: {each['text']}{times}"


def _weight(each: Document) -> int:
    """How much of the story a moment carries; 0: it has no label."""
    by_kind = {"wrong": 4, "moved": 3, "host": 3, "transition": 2}
    return by_kind.get(each["kind"], 1 if each["kind"] == "write" and "status" in each else 0)


def _labels(moments: Sequence[Document], scale: _Scale) -> list[str]:
    """The moments that carry the story, in rows, as far as there is room: what is left out has its title."""
    rows: dict[int, list[tuple[float, float]]] = {10: [], 23: [], 36: []}
    found = []
    # Of what weighs the same the latest comes first: the story ends with what was seen.
    for each in sorted((each for each in moments if _weight(each)), key=lambda each: (-_weight(each), -each["time"])):
        text = f"status = {each['status']:#04x}" if "status" in each else each["text"]
        text = text if len(text) <= 44 else f"{text[:43]}…"
        at, width = scale(each["time"]), len(text) * LETTER
        left = min(max(at - 4, LEFT), WIDTH - RIGHT - width)
        right = left + width + 8
        for y, taken in rows.items():
            if any(left < other_right and other_left < right for other_left, other_right in taken):
                continue
            taken.append((left, right))
            found.append(f'<text class="label {escape(each["kind"])}" x="{left:.1f}" y="{y}">{escape(text)}</text>')
            foot = TOPS[each["lane"]] - 16
            found.append(f'<line class="lead" x1="{at:.1f}" y1="{y + 3}" x2="{at:.1f}" y2="{foot}"/>')
            break
    return found


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y}">{escape(text)}</text>'
