"""What a person sees of ``uvirtio survive``: the timeline while it grows, then a verdict per statement; and the picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from uvirtio.foreign import printable

from ..telling import STYLES, console, tell
from .progress import by_lines

if TYPE_CHECKING:
    from rich.console import Console

    from ..judging.survive_run import DeviceRun, Incident, SurviveRun

__all__ = ["LiveTimeline", "picture", "render"]

#: Colours of the picture, and its measures in pixels.
_FILLS = {"PASS": "#2e7d32", "FAIL": "#c62828", "ERROR": "#6a1b9a", "WARN": "#f9a825", "SKIP": "#9e9e9e"}
_WIDTH, _LEFT, _LANE, _TOP, _LEAST = 960, 220, 46, 40, 3


class LiveTimeline:
    """A line for each event as it is over, on a terminal's standard error.

    Also elsewhere where that is wanted, see :func:`.by_lines`.
    """

    def __init__(self) -> None:
        self._screen = console(stderr=True)
        self._lines = by_lines()

    def begin(self, count: int) -> None:
        """So many devices are at work now."""
        if self._lines:
            tell(f"{count} devices are under load")

    def __call__(self, incident: Incident, device: DeviceRun) -> None:
        """One more."""
        if self._lines:
            tell(f"{device.locator}: {_line(incident.to_json())}")
        elif self._screen.is_terminal:
            self._screen.print(f"{device.locator}: {_line(incident.to_json())}")


def _line(incident: Mapping[str, Any]) -> str:
    how = "" if incident["announced"] else f" ({incident['noticed']})"
    asleep = ", suspended" if incident["suspended"] else ""
    again = ", brought up again" if incident["brought_up_again"] else ""
    return (
        f"{incident['at']:9.3f} s  {incident['name']}{how}: {incident['seconds']:.3f} s, {incident['load']}{asleep}, "
        f"{incident['out']} out, {incident['lost']} lost{again}: {incident['verdict']}"
    )


def render(document: dict[str, Any]) -> None:
    """The whole on standard output."""
    screen = console()
    for device in document["devices"]:
        _device(screen, device)
    counts = ", ".join(f"{number} {name}" for name, number in document["events"].items()) or "nothing happened"
    from rich.text import Text

    word = document["verdict"]
    screen.print(
        Text.assemble(
            (word, STYLES.get(word, "")),
            f"  {counts}; {document['seconds']:.1f} s, seed {document['options']['seed']}",
        )
    )


def _device(screen: Console, device: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    facts = device["device"]
    screen.print(
        Text.assemble((device["locator"], "bold"), f": virtio {facts.get('type', '?')}, {device['interrupts']}")
    )
    for remark in device["remarks"]:
        screen.print(f"  note: {remark}")
    for incident in device["timeline"]:
        screen.print(Text(f"  {_line(incident)}", STYLES.get(incident["verdict"], "")))
        for reason in incident["reasons"]:
            screen.print(f"      {printable(reason, lines=True)}")
    table = Table(box=box.ASCII2 if screen.encoding.lower() not in ("utf-8", "utf8") else box.SIMPLE, pad_edge=False)
    for name in ("id", "verdict", "what was seen"):
        table.add_column(name, no_wrap=name != "what was seen")
    for result in device["results"]:
        word = result["verdict"]
        table.add_row(result["id"], Text(word, STYLES.get(word, "")), Text(result["summary"]))
    if device["results"]:
        screen.print(table)
    if device["stopped"]:
        screen.print(Text(f"  {device['stopped']}", "bold"))


# -- the picture -------------------------------------------------------------------------------------------------------


def picture(run: SurviveRun) -> str:
    """A lane for each device with its events as an SVG; a bar is as wide as the event was long."""
    lanes: list[tuple[str, list[dict[str, Any]]]] = [
        (device.locator, [incident.to_json() for incident in device.incidents]) for device in run.devices
    ]
    end = max((each["at"] + each["seconds"] for _, incidents in lanes for each in incidents), default=0.0) or 1.0
    height = _TOP + _LANE * len(lanes) + 30
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="22" font-size="15">uvirtio survive: {run.verdict.value}, seed {run.seed}</text>',
    ]
    for number, (name, incidents) in enumerate(lanes):
        lines += _lane(name, incidents, _TOP + _LANE * number, end)
    axis = _TOP + _LANE * len(lanes) + 14
    lines += [
        f'<text x="{_LEFT}" y="{axis}" fill="#555555">0 s</text>',
        f'<text x="{_WIDTH - 10}" y="{axis}" fill="#555555" text-anchor="end">{end:.3g} s</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _lane(name: str, incidents: list[dict[str, Any]], top: int, end: float) -> Iterator[str]:
    scale = (_WIDTH - _LEFT - 10) / end
    shown = name if len(name) < 32 else f"{name[:30]}…"
    yield f'<text x="10" y="{top + 24}">{escape(printable(shown))}</text>'
    yield f'<line x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{top + 20}" y2="{top + 20}" stroke="#cccccc"/>'
    for each in incidents:
        x, width = _LEFT + each["at"] * scale, max(each["seconds"] * scale, _LEAST)
        title = escape(printable("; ".join([_line(each), *each["reasons"]])))
        yield (
            f'<rect x="{x:.1f}" y="{top + 8}" width="{width:.1f}" height="24" fill="{_FILLS.get(each["verdict"], "#9e9e9e")}" '
            f'fill-opacity="0.8"><title>{title}</title></rect>'
        )
