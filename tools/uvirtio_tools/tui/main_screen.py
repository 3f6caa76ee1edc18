"""The devices and the chosen one: side by side where the terminal is wide, one after the other where it is not."""

from __future__ import annotations

from typing import ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.widgets import DataTable, Static

from ..inspect.live import LiveMachine, Row
from .device import KEYS, DeviceView
from .device_list import DeviceList
from .key_bar import KeyBar

__all__ = ["INTERVAL", "WIDE", "MainScreen"]

#: Seconds between two looks at the list.
INTERVAL = 2.0
#: Columns from which on list and device stand side by side.
WIDE = 116
#: Seconds that the cursor rests on a device before that is drawn beside the list.
_REST = 0.15


class MainScreen(Screen[None]):
    """A list, and beside or behind it a view of each device that was opened; views that drive go on unseen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "switch", "other side", show=False),
    ]

    def __init__(self, machine: LiveMachine, *, interval: float = INTERVAL) -> None:
        super().__init__()
        self.machine = machine
        self._interval = interval
        self._looking = False
        #: Whether a narrow terminal shows the device.
        self.opened = False
        self._views: dict[str, DeviceView] = {}
        self._shown = ""

    def compose(self) -> ComposeResult:
        """List, device, keys."""
        with Horizontal(id="body"):
            yield DeviceList(self.machine, self.open_device)
            with Container(id="stage"):
                yield Static("Enter opens a device.", id="nothing", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Look, and go on looking."""
        self.query_one(DeviceList).focus_table()
        self._lay_out()
        self.look()
        if self._interval:
            self.set_interval(self._interval, self.look)

    @property
    def looking(self) -> bool:
        """Whether a look is under way, at the machine or at the device that is shown."""
        return self._looking or (self.view is not None and self.view.looking)

    @property
    def view(self) -> DeviceView | None:
        """The view that is shown, or would be."""
        return self._views.get(self._shown)

    @property
    def views(self) -> list[DeviceView]:
        """All that were opened."""
        return list(self._views.values())

    @property
    def wide(self) -> bool:
        """Whether both sides fit."""
        return self.app.size.width >= WIDE

    # -- looking -------------------------------------------------------------------------------------------------

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
        if self.is_attached:
            self.query_one(DeviceList).show()
            self._rested()

    # -- the two sides -------------------------------------------------------------------------------------------

    def on_resize(self, _event: events.Resize) -> None:
        """One side or both."""
        self._lay_out()
        self._rested()

    def _lay_out(self) -> None:
        try:
            side, stage = self.query_one(DeviceList), self.query_one("#stage")
        except NoMatches:
            return
        self.set_class(self.wide, "wide")
        side.display = self.wide or not self.opened
        stage.display = self.wide or self.opened
        side.compact(self.wide)
        self._tell_keys()

    def on_device_list_moved(self, _event: DeviceList.Moved) -> None:
        """The cursor stands on another device: where there is room it is drawn, once the cursor rests."""
        self.set_timer(_REST, self._rested)

    def _rested(self) -> None:
        row = self.query_one(DeviceList).chosen
        if self.wide and row is not None and self._inside is None:
            self._bring(row)

    def open_device(self, locator: str) -> None:
        """Enter: to the device."""
        row = next((row for row in self.machine.rows if row.locator == locator), None)
        if row is None:
            return
        self.opened = True
        view = self._bring(row)
        self._lay_out()
        if view.begun:
            view.focus_tab()
        else:  # keys that were typed with this one wait for it until it is there
            self.set_focus(view)

    def _bring(self, row: Row) -> DeviceView:
        """The view of a device, on the stage."""
        view = self._views.get(row.locator)
        if view is None:
            interval = min(self._interval, 1.0)
            device = self.machine.device(row.locator)
            view = self._views[row.locator] = DeviceView(device, interval=interval, available=not self.machine.is_fixed)
            self.query_one("#stage").mount(view)
        self._shown = row.locator
        self.query_one("#nothing").display = False
        for each in self._views.values():
            each.display = each is view
        view.look()
        return view

    def on_device_view_left(self, _event: DeviceView.Left) -> None:
        """Escape: to the list. What is driven goes on being driven."""
        self.opened = False
        self._lay_out()
        self.query_one(DeviceList).focus_table()

    def action_switch(self) -> None:
        """The other side."""
        if self._inside is not None:
            self.on_device_view_left(DeviceView.Left())
        elif (key := self.query_one(DeviceList).key) != "":
            self.open_device(key)

    @property
    def _inside(self) -> DeviceView | None:
        """The view that has the focus."""
        focused = self.focused
        around = focused.ancestors_with_self if focused is not None else []
        return next((each for each in around if isinstance(each, DeviceView)), None)

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        """Other keys go here."""
        self._tell_keys()

    def _tell_keys(self) -> None:
        inside = self._inside is not None
        self.query_one(KeyBar).show(KEYS if inside else DeviceList.KEYS)
        self.set_class(inside, "inside")

    def place(self) -> tuple[str, str]:
        """Where one is, and its help."""
        if self._inside is not None:
            return "the device", DeviceView.HELP
        return "the list of devices", DeviceList.HELP

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter in a table that has nothing more to tell."""
        event.stop()
