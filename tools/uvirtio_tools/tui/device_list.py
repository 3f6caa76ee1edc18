"""The list of devices: filtered by typing, ordered by a key, with what is known of the chosen one below."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.notifications import SeverityLevel
from textual.widgets import DataTable, Static

from ..inspect.live import LiveMachine, Row
from .client import run_command
from .defused import cells
from .dialogs import Confirm, Page
from .filter_table import FilterTable

__all__ = ["DeviceList"]

_COLUMNS = ("address", "type", "SUSPEND", "driver", "interface", "is")


class DeviceList(Vertical):
    """The devices, a line each; it follows what is plugged and unplugged."""

    KEYS: ClassVar = (
        ("Enter", "open"), ("/", "filter"), ("o", "order"), ("b", "bind"), ("g", "give back"), ("d", "doctor"), ("e", "export"),
        ("^p", "all"),
    )  # fmt: skip
    HELP = """\
up, down, j, k  choose a device        Enter  open it
/  filter by what is typed             o  put them in another order
b  take a device for uio_pci_generic   g  give it back; both ask first
d  is this machine ready? (doctor)     r  look again now
e  export: the screen as SVG, the device as JSON, into the working directory
Tab  the other side, where both are shown

A device that a kernel driver holds is not disturbed: what is shown of it comes from sysfs."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move(1)", "down", show=False),
        Binding("k", "move(-1)", "up", show=False),
        Binding("b", "bind", "bind"),
        Binding("g", "restore", "give back"),
        Binding("d", "doctor", "doctor"),
        Binding("e", "export", "export"),
        Binding("r", "refresh", "look again", show=False),
    ]

    class Moved(Message):
        """Another device is chosen."""

    def __init__(self, machine: LiveMachine, opens: Callable[[str], object]) -> None:
        super().__init__(id="side")
        self.machine = machine
        self._opens = opens

    def compose(self) -> ComposeResult:
        """Head, table, what the chosen one is."""
        yield Static("uvirtio: virtio devices", classes="head", markup=False)
        yield FilterTable(_COLUMNS, name="devices", choose=self._opens)
        yield Static("looking ...", id="chosen", markup=False)

    def compact(self, narrow: bool) -> None:
        """Beside the device there is less room below."""
        self.query_one("#chosen").set_class(narrow, "beside")

    def show(self) -> None:
        """The machine was looked at."""
        self.query_one(FilterTable).fill({row.locator: cells(_cells(row)) for row in self.machine.rows})
        self._explain()

    def focus_table(self) -> None:
        """Put the focus where its keys are."""
        self.query_one(FilterTable).focus_table()

    @property
    def key(self) -> str:
        """The locator under the cursor."""
        return self.query_one(FilterTable).key

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        return next((row for row in self.machine.rows if row.locator == self.key), None)

    def on_filter_table_moved(self, event: FilterTable.Moved) -> None:
        """Another device was chosen."""
        event.stop()
        self._explain()
        self.post_message(self.Moved())

    def _explain(self) -> None:
        row = self.chosen
        if row is None:
            text = self.machine.error or (
                "There is no virtio PCI function here.\nuvirtio tui emulated:rng shows a software device in this program."
                if not self.machine.rows
                else "nothing is left by the filter; Escape shows all"
            )
        else:
            found = row.description
            lines = [f"! {row.error}"] if row.error else []
            if found is not None:
                lines.append(f"{found.locator}: {found.name}, status {found.status_text}")
                lines.append(f"used by: {'; '.join(found.used_by) or 'nothing that was found'}")
                lines += [f"! {problem}" for problem in found.problems]
            text = "\n".join(lines)
        self.query_one("#chosen", Static).update(text)

    # -- keys ----------------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Choose another device."""
        table = self.query_one(DataTable)
        table.move_cursor(row=max(0, table.cursor_row + by))

    def action_refresh(self) -> None:
        """Look now."""
        self.screen.look()  # type: ignore[attr-defined]

    def action_export(self) -> None:
        """Write what is seen."""
        from .export import export

        row = self.chosen
        said = export(self.app, row.description if row else None, row.locator if row else "devices")
        self.notify(said, markup=False)

    @work(exclusive=True, group="change")
    async def action_bind(self) -> None:
        """Take the chosen device, after asking."""
        row = self.chosen
        if row is None or row.description is None or row.description.bus != "uio" or self.machine.is_fixed:
            self.notify("only a PCI function of this machine can be taken", severity="warning")
            return
        found = row.description
        text = f"{found.name}, now on {found.driver or 'no driver'}."
        if found.used_by:
            text += f" It is in use: {'; '.join(found.used_by)}. Taking it breaks that."
        if await self.app.push_screen_wait(Confirm(f"Bind {row.locator} to uio_pci_generic?", text)):
            await self._change("bind", row.locator, *(["--force"] if found.used_by else []))

    @work(exclusive=True, group="change")
    async def action_restore(self) -> None:
        """Give the chosen device back, after asking."""
        row = self.chosen
        if row is None or row.description is None or row.description.bus != "uio" or self.machine.is_fixed:
            self.notify("only a PCI function of this machine can be given back", severity="warning")
            return
        text = "It goes back to the driver that it had, or to the one that the kernel chooses."
        if await self.app.push_screen_wait(Confirm(f"Give {row.locator} back to its driver?", text)):
            await self._change("restore", row.locator)

    async def _change(self, *words: str) -> None:
        lines: list[str] = []
        status = await run_command(*words, on_line=lines.append)
        severity: SeverityLevel = "error" if status else "information"
        self.notify("\n".join(lines) or "done", severity=severity, timeout=10, markup=False)
        self.action_refresh()

    @work(thread=True, group="doctor", exclusive=True)
    def action_doctor(self) -> None:
        """Examine the machine."""
        from ..inspect.readiness import examine

        facts = examine()
        text = "\n".join(
            f"{fact.state:<8} {fact.name}: {fact.text}" + (f"\n         {fact.advice}" if fact.advice else "")
            for fact in facts
        )
        self.app.call_from_thread(self.app.push_screen, Page("is this machine ready?", text))


def _cells(row: Row) -> list[str]:
    found = row.description
    if found is None:
        return [row.locator, "?", "error", "?", "?", "?"]
    state = "GONE" if row.gone else (found.suspend_text if found.suspend_known else "unknown")
    names = " ".join(found.kernel_names) or "-"
    return [row.locator, found.type_name, state, found.driver or "-", found.interface, names]
