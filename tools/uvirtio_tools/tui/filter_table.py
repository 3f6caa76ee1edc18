"""A table that is filtered by typing and put into another order by a key; the cursor stays on its row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import DataTable, Input, Static

__all__ = ["FilterTable"]


class _Rows(DataTable[Text]):
    """Enter is answered at once: keys that were typed with it in one burst are meant for what it opens."""

    def action_select_cursor(self) -> None:
        """Enter, on the row where the cursor stands now."""
        table = self.parent
        assert isinstance(table, FilterTable)
        if table.key:
            table.choose(table.key)


class FilterTable(Vertical):
    """Rows of texts by key. ``moves``: j and k go down and up as well."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("o", "order", "order"),
        Binding("escape", "clear", "show all", show=False),
    ]

    class Chosen(Message):
        """Enter was pressed on a row."""

        def __init__(self, table: FilterTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

    class Moved(Message):
        """The cursor stands on another row, or on none (empty)."""

        def __init__(self, table: FilterTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

    def __init__(self, columns: Sequence[str], *, name: str, choose: Callable[[str], object] | None = None) -> None:
        super().__init__(id=name)
        #: What Enter does with a key.
        self.choose = choose if choose is not None else lambda key: self.post_message(self.Chosen(self, key))
        self._columns = columns
        self._rows: dict[str, list[Text]] = {}
        self._shown: list[str] = []
        #: The column that they are ordered by; -1: as they came.
        self._order = -1
        self._filling = False
        self._widths = [len(column) for column in columns]

    def compose(self) -> ComposeResult:
        """A line that says what is left out, the filter, the table."""
        yield Input(placeholder="filter", classes="filter")
        yield Static("", classes="order", markup=False)
        yield _Rows(cursor_type="row")

    def on_mount(self) -> None:
        """Name the columns."""
        self.query_one(Input).display = False
        self.query_one(".order").display = False
        self._head()

    def _head(self) -> None:
        """The columns, as wide as what is in them: a table measures only when it has nothing else to do, and may never come to it."""
        table = self.query_one(DataTable)
        for column, width in zip(self._columns, self._widths, strict=True):
            table.add_column(column, width=width)

    def _widen(self, rows: Iterable[list[Text]]) -> bool:
        """Note how much room these need; whether that is more than there is."""
        before = list(self._widths)
        for cells in rows:
            self._widths = [max(width, cell.cell_len) for width, cell in zip(self._widths, cells, strict=True)]
        return self._widths != before

    @property
    def key(self) -> str:
        """The key of the row under the cursor, empty where there is none."""
        at = self.query_one(DataTable).cursor_row
        return self._shown[at] if 0 <= at < len(self._shown) else ""

    @property
    def keys(self) -> list[str]:
        """What is shown, from top to bottom."""
        return list(self._shown)

    def fill(self, rows: dict[str, list[Text]]) -> None:
        """These are the rows now."""
        if rows == self._rows:
            return
        self._rows = rows
        self._widen(rows.values())
        self._refill()

    def go(self, key: str) -> None:
        """Put the cursor on a row, if it is shown."""
        if key in self._shown:
            self.query_one(DataTable).move_cursor(row=self._shown.index(key))

    def put(self, key: str, cells: list[Text]) -> None:
        """One row more, or another content of one."""
        self._rows = {**self._rows, key: cells}
        table = self.query_one(DataTable)
        if not self._widen([cells]) and self._order < 0 and key not in self._shown and self._fits(cells):
            table.add_row(*cells, key=key)
            self._shown.append(key)
        else:
            self._refill()

    def _fits(self, cells: list[Text]) -> bool:
        wanted = self.query_one(Input).value.lower().split()
        text = " ".join(cell.plain for cell in cells).lower()
        return all(word in text for word in wanted)

    def _refill(self) -> None:
        table, before, at = self.query_one(DataTable), self.key, self.query_one(DataTable).cursor_row
        shown = [key for key, cells in self._rows.items() if self._fits(cells)]
        if self._order >= 0:
            shown.sort(key=lambda key: self._rows[key][self._order].plain)
        self._filling = True
        table.clear(columns=True)
        self._head()
        self._shown = shown
        for key in shown:
            table.add_row(*self._rows[key], key=key)
        if shown:
            table.move_cursor(row=shown.index(before) if before in shown else min(max(at, 0), len(shown) - 1))
        self._filling = False
        self._tell()
        self.post_message(self.Moved(self, self.key))

    def _tell(self) -> None:
        words = []
        if left := len(self._rows) - len(self._shown):
            words.append(f"{left} left out")
        if self._order >= 0:
            words.append(f"by {self._columns[self._order]}")
        line = self.query_one(".order", Static)
        line.update(", ".join(words))
        line.display = bool(words)

    # -- events and keys -----------------------------------------------------------------------------------------

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Another row."""
        event.stop()
        if not self._filling:
            self.post_message(self.Moved(self, self.key))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Something was typed."""
        event.stop()
        self._refill()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Back to what is left."""
        event.stop()
        self.query_one(DataTable).focus()

    def key_down(self) -> None:
        """From the filter to what is left."""
        self.query_one(DataTable).focus()

    def focus_table(self) -> None:
        """Put the focus where its keys are."""
        self.query_one(DataTable).focus()

    def action_filter(self) -> None:
        """Type what is wanted."""
        line = self.query_one(Input)
        line.display = True
        line.focus()

    def action_order(self) -> None:
        """By the next column; after the last as they came."""
        self._order = self._order + 1 if self._order + 1 < len(self._columns) else -1
        self._refill()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape is somebody else's where nothing is filtered."""
        return self.query_one(Input).display if action == "clear" and self.is_mounted else True

    def action_clear(self) -> None:
        """Everything again."""
        line = self.query_one(Input)
        line.value = ""
        line.display = False
        self.query_one(DataTable).focus()
