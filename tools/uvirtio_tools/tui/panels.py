"""What a device says, one panel a tab. Each has ``show(description)``."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import DataTable, Static

from ..inspect.live import LiveDevice
from ..inspect.model import Description
from ..inspect.render import bars_table, capabilities_table, configuration_table, identity_rows, mark, vectors_table
from .defused import cells

__all__ = ["AboutPanel", "ConfigurationPanel", "EventsPanel", "FeaturesPanel"]


class _TextPanel(VerticalScroll):
    """Something that can be drawn, with a scroll bar."""

    def compose(self) -> ComposeResult:
        """One widget."""
        yield Static("", markup=False)

    def _draw(self, *parts: object) -> None:
        from rich.console import Group, RenderableType

        shown: list[RenderableType] = [part for part in parts if part is not None]  # type: ignore[misc]
        self.query_one(Static).update(Group(*shown))


class FeaturesPanel(Vertical):
    """The matrix, and below it what the chosen bit means."""

    def __init__(self) -> None:
        super().__init__()
        self._found: Description | None = None

    def compose(self) -> ComposeResult:
        """Masks, table, sentence."""
        yield Static("", id="feature-masks", markup=False)
        yield DataTable[Text](id="feature-table", cursor_type="row")
        yield Static("", id="feature-text", markup=False)

    def on_mount(self) -> None:
        """Name the columns."""
        self.query_one(DataTable).add_columns("bit", "feature", "offered", "accepted", "")

    def show(self, found: Description) -> None:
        """Draw it; the cursor stays where it is."""
        self._found = found
        offered = "unknown" if found.offered is None else f"{found.offered:#018x}"
        accepted = "unknown" if found.accepted is None else f"{found.accepted:#018x}"
        self.query_one("#feature-masks", Static).update(f"offered (host) {offered}   accepted (guest) {accepted}")
        table = self.query_one(DataTable)
        cursor = table.cursor_row
        table.clear()
        for row in found.features:
            wrong = f"! {len(row.problems)}" if row.problems else "unknown" if row.origin == "unknown" else ""
            table.add_row(*cells([str(row.bit), row.name, mark(row.offered), mark(row.accepted), wrong]))
        if found.features:
            table.move_cursor(row=min(cursor, len(found.features) - 1))
        self._explain()

    def on_data_table_row_highlighted(self, _event: DataTable.RowHighlighted) -> None:
        """Another bit was chosen."""
        self._explain()

    def _explain(self) -> None:
        at = self.query_one(DataTable).cursor_row
        rows = self._found.features if self._found is not None else ()
        text = "nothing is known about its features"
        if at < len(rows):
            row = rows[at]
            text = "\n".join([f"{row.bit} {row.name}: {row.sentence}", *(f"! {problem}" for problem in row.problems)])
        self.query_one("#feature-text", Static).update(text)


class AboutPanel(_TextPanel):
    """Who the device is, what is wrong, capabilities of all kinds, BARs, and the vectors of MSI-X."""

    def show(self, found: Description) -> None:
        """Draw it."""
        from rich.table import Table

        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for label, text in identity_rows(found):
            grid.add_row(Text(label, style="dim"), Text(text))
        for problem in found.problems:
            grid.add_row(Text("problem", style="bold"), Text(f"! {problem}", style="bold"))
        for note in found.notes:
            grid.add_row(Text("note", style="dim"), Text(note))
        parts: list[object] = [grid, Text()]
        if found.capabilities:
            parts += [capabilities_table(found), Text()]
        parts.append(bars_table(found))
        if found.vectors:
            parts += [Text(), vectors_table(found)]
        self._draw(*parts)


class ConfigurationPanel(_TextPanel):
    """Configuration fields by name."""

    def show(self, found: Description) -> None:
        """Draw it."""
        if not found.config:
            none = f"a {found.type_name} device has no configuration fields"
            self._draw(Text("\n".join(found.notes) if found.source == "sysfs" else none))
            return
        self._draw(configuration_table(found))


class EventsPanel(_TextPanel):
    """What changed, the newest first."""

    def show(self, device: LiveDevice) -> None:
        """Draw it."""
        lines = [f"{event.clock} {event.text}" for event in reversed(device.events)]
        self._draw(Text("\n".join(lines) or "nothing has changed yet"))
