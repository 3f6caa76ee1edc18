"""The list of devices, a line each."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Static

from ..inspect.live import LiveDevice, LiveMachine, Row
from .client import run_command
from .defused import cells
from .device import DeviceScreen
from .dialogs import Confirm, Page

__all__ = ["INTERVAL", "ListScreen"]

#: Seconds between two looks at the list.
INTERVAL = 2.0


class ListScreen(Screen[None]):
    """The devices, a line each; it follows what is plugged and unplugged."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", priority=True),
        Binding("j", "move(1)", "down", show=False),
        Binding("k", "move(-1)", "up", show=False),
        Binding("b", "bind", "bind"),
        Binding("g", "restore", "give back"),
        Binding("d", "doctor", "doctor"),
        Binding("e", "export", "export"),
        Binding("r", "refresh", "refresh", show=False),
        Binding("question_mark", "app.help", "help"),
        Binding("q", "app.quit", "quit"),
    ]

    def __init__(self, machine: LiveMachine, *, interval: float = INTERVAL) -> None:
        super().__init__()
        self.machine = machine
        self._interval = interval
        self._looking = False

    def compose(self) -> ComposeResult:
        """Head, table, what the chosen one is, keys."""
        yield Static("uvirtio: virtio devices", id="head", markup=False)
        yield DataTable[Text](id="devices", cursor_type="row")
        yield Static("looking ...", id="chosen", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Look, and go on looking."""
        self.query_one(DataTable).add_columns("address", "type", "driver", "SUSPEND", "interface", "is")
        self.query_one(DataTable).focus()
        self.look()
        if self._interval:
            self.set_interval(self._interval, self.look)

    def look(self) -> None:
        """Look at the machine in a thread, unless that is still going on."""
        if not self._looking:
            self._looking = True
            self._look()

    @work(thread=True, group="list")
    def _look(self) -> None:
        self.machine.refresh()
        self.app.call_from_thread(self._looked)

    def _looked(self) -> None:
        self._looking = False
        if not self.is_attached:
            return
        table = self.query_one(DataTable)
        cursor = table.cursor_row
        table.clear()
        for row in self.machine.rows:
            table.add_row(*cells(_cells(row)), key=row.locator)
        if self.machine.rows:
            table.move_cursor(row=min(cursor, len(self.machine.rows) - 1))
        self._explain()

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        at = self.query_one(DataTable).cursor_row
        return self.machine.rows[at] if at < len(self.machine.rows) else None

    def on_data_table_row_highlighted(self, _event: DataTable.RowHighlighted) -> None:
        """Another device was chosen."""
        self._explain()

    def _explain(self) -> None:
        row = self.chosen
        if row is None:
            text = self.machine.error or (
                "There is no virtio PCI function here.\nuvirtio tui emulated:rng shows a software device in this program."
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

    def action_open(self) -> None:
        """Show the device."""
        row = self.chosen
        if row is not None:
            fixed = row.description if self.machine.is_fixed else None
            device = LiveDevice(row.locator, fixed=fixed)
            if fixed is None:
                device.description = row.description
            self.app.push_screen(DeviceScreen(device, interval=min(self._interval, 1.0), available=fixed is None))

    def action_move(self, by: int) -> None:
        """Choose another device."""
        table = self.query_one(DataTable)
        table.move_cursor(row=max(0, table.cursor_row + by))

    def action_refresh(self) -> None:
        """Look now."""
        self.look()

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
        self.look()

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
        return [row.locator, "?", "?", "error", "?", "?"]
    state = "GONE" if row.gone else (found.suspend_text if found.suspend_known else "unknown")
    names = " ".join(found.kernel_names) or "-"
    return [row.locator, found.type_name, found.driver or "-", state, found.interface, names]
