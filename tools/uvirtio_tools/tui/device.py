"""One device: a tab for everything that it says, and one to drive it."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, RichLog, Static, TabbedContent, TabPane

from ..inspect.live import LiveDevice
from ..inspect.model import Description
from .drive import DrivePanel
from .panels import CapabilitiesPanel, ConfigurationPanel, EventsPanel, FeaturesPanel, OverviewPanel
from .queues import QueuesPanel

__all__ = ["DeviceScreen"]

#: Seconds between two looks.
_INTERVAL = 1.0
_TABS = ("overview", "features", "caps", "queues", "config", "events", "drive", "trace")


class DeviceScreen(Screen[None]):
    """Looks at its device once a second, except while a session of its own drives it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace", "back", "back"),
        *(Binding(str(number), f"tab('{name}')", name, show=False) for number, name in enumerate(_TABS, 1)),
        Binding("e", "export", "export"),
        Binding("r", "refresh", "refresh", show=False),
        Binding("question_mark", "app.help", "help"),
    ]

    def __init__(self, device: LiveDevice, *, interval: float = _INTERVAL, available: bool = True) -> None:
        super().__init__()
        self.device = device
        self.found: Description | None = device.description
        self._interval = interval
        self._available = available
        self._looking = False
        self._rings: dict[str, Any] = {}

    def compose(self) -> ComposeResult:
        """Head, error, tabs, keys."""
        yield Static("", id="head", markup=False)
        yield Static("", id="error", markup=False)
        with TabbedContent(initial="overview"):
            panels = {
                "overview": OverviewPanel(),
                "features": FeaturesPanel(),
                "caps": CapabilitiesPanel(),
                "queues": QueuesPanel(),
                "config": ConfigurationPanel(),
                "events": EventsPanel(),
                "drive": DrivePanel(self.device.locator, available=self._available),
                "trace": RichLog(id="trace-log", wrap=False, markup=False, highlight=False, max_lines=5000),
            }
            for number, (name, panel) in enumerate(panels.items(), 1):
                with TabPane(f"{number} {name}", id=name):
                    yield panel
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Draw what is known, then look."""
        self._draw()
        self.look()
        if self._interval:
            self.set_interval(self._interval, self.look)

    # -- looking -------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look at the device in a thread, unless that is still going on or a session drives it."""
        if not self._looking and not self.query_one(DrivePanel).active:
            self._looking = True
            self._look()

    @work(thread=True, group="look")
    def _look(self) -> None:
        before = self.device.rate
        changed = self.device.refresh()
        self.app.call_from_thread(self._looked, changed or before != self.device.rate)

    def _looked(self, changed: bool) -> None:
        self._looking = False
        if self.is_attached and not self.query_one(DrivePanel).active:
            self.found, first = self.device.description, self.found is None
            if changed or first or self.device.error:
                self._draw()

    def on_drive_panel_state(self, message: DrivePanel.State) -> None:
        """The session has looked, rings included."""
        self.found, self._rings = message.found, message.rings
        self.device.take(message.found)
        self.device.interrupts = message.interrupts
        self._draw()

    def on_drive_panel_trace(self, message: DrivePanel.Trace) -> None:
        """The session has touched registers."""
        log = self.query_one("#trace-log", RichLog)
        for line in message.lines:
            log.write(line)

    def on_drive_panel_ended(self, _message: DrivePanel.Ended) -> None:
        """The session is over: what its rings held is gone."""
        self._rings = {}
        self.look()

    def _draw(self) -> None:
        device, found = self.device, self.found
        status = found.status_text if found is not None else ""
        self.query_one("#head", Static).update(f"{device.locator}  {status}")
        error = self.query_one("#error", Static)
        error.update(f"! {'gone: ' if device.gone else ''}{device.error}" if device.error else "")
        error.display = bool(device.error)
        self.query_one(EventsPanel).show(device)
        if found is None:
            return
        self.query_one(OverviewPanel).show(device, found)
        self.query_one(FeaturesPanel).show(found)
        self.query_one(CapabilitiesPanel).show(found)
        self.query_one(QueuesPanel).show(found, self._rings)
        self.query_one(ConfigurationPanel).show(found)

    # -- keys ----------------------------------------------------------------------------------------------------

    def action_tab(self, name: str) -> None:
        """Show a tab and put the focus where its keys are."""
        self.query_one(TabbedContent).active = name
        wanted = {"features": "#feature-table", "queues": "#queue-table", "drive": "#drive-log", "trace": "#trace-log"}
        if name in wanted:
            widget = self.query_one(wanted[name])
        else:
            widget = self.query_one(f"#{name}", TabPane).query("VerticalScroll").first(Widget)
        # At once, not with the next message: the key that was typed after this one is meant for it.
        self.set_focus(widget)

    def action_refresh(self) -> None:
        """Look now."""
        self.look()

    def action_export(self) -> None:
        """Write what is seen: the description as JSON, the screen as SVG."""
        from .export import export

        self.notify(export(self.app, self.found, self.device.locator), markup=False)

    @work(exclusive=True, group="leave")
    async def action_back(self) -> None:
        """Leave, giving back what is driven."""
        await self.query_one(DrivePanel).close_session()
        self.device.close()
        self.dismiss(None)
