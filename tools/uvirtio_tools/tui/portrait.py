"""The live portrait of a device: status, rings in motion, interrupts, features, configuration, the last suspends, a log."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import RichLog, Static

from uvirtio.spec.status import GONE, Status

from ..inspect.model import Description
from ..wording import counted
from . import lifelines, ring_bar
from .drive import Driver

__all__ = ["Portrait", "lights"]

#: Name, short name, bit, colour.
_LIGHTS = (
    ("ACKNOWLEDGE", "ACK", Status.ACKNOWLEDGE, "green"),
    ("DRIVER", "DRIVER", Status.DRIVER, "green"),
    ("FEATURES_OK", "FEAT_OK", Status.FEATURES_OK, "green"),
    ("DRIVER_OK", "DRV_OK", Status.DRIVER_OK, "green"),
    ("SUSPEND", "SUSPEND", Status.SUSPEND, "yellow"),
    ("NEEDS_RESET", "NEEDS_RST", Status.DEVICE_NEEDS_RESET, "red"),
    ("FAILED", "FAILED", Status.FAILED, "red"),
)
#: Columns that the names in full need.
_LONG = 92
#: Queues and configuration fields that are drawn; the tabs have all of them.
_QUEUES, _FIELDS = 4, 6
_START = "not driven from here: i initialises it, t judges it"


def lights(status: int | None, width: int = _LONG) -> Text:
    """The status bits as a row of lights: marked with a cross, and in colour as well."""
    text = Text()
    for name, short, bit, colour in _LIGHTS:
        name = name if width >= _LONG else short
        on = status is not None and status != GONE and bool(status & bit)
        text.append(f"[{'x' if on else ' '}]{name} ", style=f"bold {colour}" if on else "dim")
    if status == GONE:
        text.append("reads 0xff: absent or busy", style="bold red")
    return text


class Portrait(Driver):
    """All of it, from top to bottom."""

    _found: Description | None = None
    _interrupts: int | None = None
    _isr = ""

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Static(lights(None), id="lights", markup=False)
        yield Static(_START, id="state", markup=False)
        yield Static("", id="rings", markup=False)
        yield Static("", id="facts", markup=False)
        yield Static("", id="lifelines", markup=False)
        log = RichLog(id="log", wrap=True, markup=False, highlight=False, min_width=20, max_lines=2000)
        yield log

    def say(self, text: str) -> None:
        """A line in the log."""
        if self.is_attached:
            self.query_one("#log", RichLog).write(text)

    def on_resize(self) -> None:
        """There is more room, or less."""
        if self._found is not None:
            self.show(self._found)
        self.show_transitions()

    # -- drawing -------------------------------------------------------------------------------------------------

    def show(self, found: Description) -> None:
        """What was seen of the device, by whomever."""
        self._found = found
        width = max(40, self.size.width - 2)
        self.query_one("#lights", Static).update(lights(found.status, width))
        self.query_one("#rings", Static).update(_rings(found, width))
        self.query_one("#facts", Static).update(self._facts(found, width))

    def _facts(self, found: Description, width: int) -> Text:
        text = Text()
        for name, words in (
            ("interrupts", self._notified(found)), ("vectors", _vectors(found)), ("features", _features(found)),
            ("config", _configuration(found)),
        ):  # fmt: skip
            if words:
                line = f"{name:<11}{words}"
                text.append(line if len(line) <= width else f"{line[: width - 3]}...").append("\n")
        for problem in found.problems[:2]:
            text.append(f"! {problem}"[:width], style="bold").append("\n")
        text.rstrip()
        return text

    def _notified(self, found: Description) -> str:
        device, interrupt = self.device, found.interrupt
        parts = []
        if interrupt is not None:
            way = "MSI-X" if interrupt.msix_enabled else f"INTx pin {interrupt.pin}" if interrupt.pin else "no pin"
            parts.append(way)
        if device.interrupts is not None:
            more = device.interrupts - self._interrupts if self._interrupts is not None else 0
            self._interrupts = device.interrupts
            parts.append(f"{device.interrupts} delivered" + (f" (+{more})" if more > 0 else ""))
        if self._isr:
            parts.append(self._isr)
        if device.rate:
            parts.append(f"{device.rate:.1f} a second")
        return ", ".join(parts)

    def show_state(self, state: dict[str, Any], found: Description) -> None:
        """What a session saw."""
        self.device.interrupts = state["interrupts"]
        isr = state["isr"]
        self._isr = f"ISR showed {isr['queue']} used, {isr['config']} config"
        words = [state["phase"], f"dialect {state['dialect'] or 'none'}"]
        if (load := state["workload"]) is not None:
            words.append(
                f"{load['submitted']} submitted, {load['completed']} completed, {load['outstanding']} outstanding"
            )
        if state["simulated"]:
            words.append("simulated")
        self.query_one("#state", Static).update(", ".join(words))
        self.show(found)

    def show_idle(self) -> None:
        """There is no session."""
        self._isr = ""
        if self.is_attached:
            self.query_one("#state", Static).update(_START)

    def show_transitions(self) -> None:
        """The newest ones, and how long they all took."""
        panel = self.query_one("#lifelines", Static)
        panel.display = bool(self.transitions)
        if not self.transitions:
            return
        width = max(40, self.size.width - 2)
        text = lifelines.drawn(self.transitions, width, 4 if self.size.height > 18 else 2)
        done = sorted(each["seconds"] for each in self.transitions if each["outcome"] == "done")
        if done:
            words = f"least {done[0] * 1e3:.3f}, median {done[len(done) // 2] * 1e3:.3f}, most {done[-1] * 1e3:.3f} ms"
            text.append(f"\n{counted(len(done), 'transition')}: {words}"[:width])
        if self.size.height > 24:
            text.append(f"\n{lifelines.LEGEND}", style="dim")
        panel.update(text)


def _rings(found: Description, width: int) -> Text:
    lines = [ring_bar.drawn(queue, width) for queue in found.queues[:_QUEUES]]
    if left := len(found.queues) - len(lines):
        lines.append(Text(f"and {counted(left, 'more queue')} (3)", style="dim"))
    if any(queue.ring is not None for queue in found.queues):
        lines.append(Text(ring_bar.LEGEND, style="dim"))
    return Text("\n").join(lines) if lines else Text("\n".join(found.notes[:2]) or "no queues are known")


def _vectors(found: Description) -> str:
    if not found.vectors:
        return ""
    masked = sum(vector.masked for vector in found.vectors)
    pending = sum(vector.pending for vector in found.vectors)
    used = ", ".join(f"{vector.number}: {' '.join(vector.events)}" for vector in found.vectors if vector.events)
    return f"{len(found.vectors)}, {masked} masked, {pending} pending" + (f"; {used}" if used else "")


def _features(found: Description) -> str:
    offered = [row for row in found.features if row.offered]
    accepted = sum(bool(row.accepted) for row in found.features)
    if found.offered is None:
        return f"unknown; SUSPEND: {found.suspend_text}"
    return f"{len(offered)} offered, {accepted} accepted; SUSPEND: {found.suspend_text}"


def _configuration(found: Description) -> str:
    fields = [field for field in found.config if field.valid is not False and field.text]
    return "  ".join(f"{field.name}={field.text.split(' (')[0]}" for field in fields[:_FIELDS])
