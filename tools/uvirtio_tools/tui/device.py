"""One device: its live portrait, a tab for everything else that it says, and the keys that drive it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import ContentSwitcher, RichLog, Static

from ..inspect.live import LiveDevice
from ..inspect.model import Description
from .checks import ChecksPanel
from .drive import Driver
from .filter_table import FilterTable
from .panels import AboutPanel, ConfigurationPanel, EventsPanel, FeaturesPanel
from .portrait import Portrait
from .queues import QueuesPanel
from .tabs import TABS, TabBar

__all__ = ["KEYS", "DeviceView"]

#: Seconds between two looks.
_INTERVAL = 1.0
#: What the last line says, the most needed first.
KEYS = (
    ("i", "init"), ("p", "suspend"), ("u", "resume"), ("s", "submit"), ("k", "kick"), ("x", "reset"), ("t", "judge"), ("w", "wait"),
    ("f", "10 cycles"), ("Esc", "back"), ("z", "stop"), ("1-8", "tabs"), ("e", "export"),
)  # fmt: skip


class DeviceView(Vertical, can_focus=True):
    """Looks at its device once a second while it is shown, except while a session of its own drives it."""

    HELP = """\
i  initialise (a real device is taken first, and given back at the end)
s k w  submit requests, notify the device, wait until all have come back
p u  suspend, resume        x  reset
f  ten cycles under the workload, each judged
t  the conformance checks   z  stop, and give the device back
1 ... 8  live, features, queues, about, configuration, checks, trace, events
In a table: / filters by what is typed, o puts it in another order, Enter tells more.

Rings: # with the device, = used and not taken yet, . free; then the driver's and the device's index.
Suspends: W write, - reads that did not show it, ? it came about here, D the first read that showed it."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace", "back", "back"),
        *(Binding(str(number), f"tab('{name}')", name, show=False) for number, name in enumerate(TABS, 1)),
        Binding("i", "start", "initialise"),
        Binding("s", "step('submit')", "submit"),
        Binding("k", "step('kick')", "kick"),
        Binding("w", "step('reap')", "wait for all"),
        Binding("p", "step('suspend')", "suspend"),
        Binding("u", "step('resume')", "resume"),
        Binding("x", "step('reset')", "reset"),
        Binding("f", "cycles", "ten cycles"),
        Binding("t", "checks", "judge"),
        Binding("z", "stop", "stop"),
        Binding("e", "export", "export"),
        Binding("r", "refresh", "look again", show=False),
    ]

    class Left(Message):
        """Back to the list."""

    def __init__(self, device: LiveDevice, *, interval: float = _INTERVAL, available: bool = True) -> None:
        super().__init__(classes="device")
        self.device = device
        self.found: Description | None = device.description
        self._interval = interval
        self._available = available
        self.looking = False
        #: Whether it is drawn; what is asked of it before goes for what is drawn first.
        self.begun = False
        self._waiting: list[Callable[[], object]] = []
        self._rings: dict[str, Any] = {}

    def compose(self) -> ComposeResult:
        """Head, error, tabs."""
        yield Static("", classes="head", markup=False)
        yield Static("", classes="error", markup=False)
        yield TabBar()
        with ContentSwitcher(initial="live"):
            yield self._named(Portrait(self.device, available=self._available), "live")
            yield self._named(FeaturesPanel(), "features")
            yield self._named(QueuesPanel(), "queues")
            yield self._named(AboutPanel(), "about")
            yield self._named(ConfigurationPanel(), "config")
            yield self._named(ChecksPanel(), "checks")
            yield RichLog(id="trace", wrap=False, markup=False, highlight=False, max_lines=5000)
            yield self._named(EventsPanel(), "events")

    @staticmethod
    def _named(panel: Widget, name: str) -> Widget:
        panel.id = name
        return panel

    def on_mount(self) -> None:
        """Draw what is known, once there is what it is drawn into, and look."""
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.begun = True
        self._draw()
        if self.has_focus:
            self.focus_tab()
        for action in self._waiting:
            action()
        self._waiting.clear()
        self.look()
        if self._interval:
            self.set_interval(self._interval, self.look)

    @property
    def portrait(self) -> Portrait:
        """What drives it."""
        return self.query_one(Portrait)

    @property
    def checks(self) -> ChecksPanel:
        """What judges it."""
        return self.query_one(ChecksPanel)

    # -- looking -------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look at the device in a thread, unless that is still going on, nobody sees it, or a session drives it."""
        if self.begun and not self.looking and self.display and not self.device.lent:
            self.looking = True
            self._look()

    @work(thread=True, group="look")
    def _look(self) -> None:
        before = self.device.rate
        changed = self.device.refresh()
        self.app.call_from_thread(self._looked, changed or before != self.device.rate)

    def _looked(self, changed: bool) -> None:
        self.looking = False
        if self.is_attached and not self.portrait.active:
            self.found, first = self.device.description, self.found is None
            if changed or first or self.device.error:
                self._draw()

    def on_driver_state(self, message: Driver.State) -> None:
        """The session has looked, rings included."""
        self.found, self._rings = message.found, message.rings
        self.device.take(message.found)
        self.device.interrupts = message.interrupts
        self._draw()

    def on_driver_trace(self, message: Driver.Trace) -> None:
        """The session has touched registers."""
        log = self.query_one("#trace", RichLog)
        for line in message.lines:
            log.write(line)

    def on_driver_ended(self, _message: Driver.Ended) -> None:
        """The session is over: what its rings held is gone."""
        self._rings = {}
        self.look()

    def on_checks_panel_over(self, _message: ChecksPanel.Over) -> None:
        """The device is there to be looked at again."""
        self.device.take_back()
        self.look()

    def _draw(self) -> None:
        device, found = self.device, self.found
        name = ""
        if found is not None:
            name = f"{found.type_name}  status {'unknown' if found.status is None else f'{found.status:#04x}'}"
        self.query_one(".head", Static).update(f"{device.locator}  {name}")
        error = self.query_one(".error", Static)
        error.update(f"! {'gone: ' if device.gone else ''}{device.error}" if device.error else "")
        error.display = bool(device.error)
        self.query_one(EventsPanel).show(device)
        if found is None:
            return
        self.portrait.show(found)
        self.query_one(FeaturesPanel).show(found)
        self.query_one(AboutPanel).show(found)
        self.query_one(QueuesPanel).show(found, self._rings)
        self.query_one(ConfigurationPanel).show(found)

    # -- keys ----------------------------------------------------------------------------------------------------

    def focus_tab(self) -> None:
        """Put the focus where the keys of the tab are: at once, as the key that was typed next is meant for it."""
        name = self.query_one(TabBar).active
        wanted: Widget
        if name == "checks":
            self.checks.query_one(FilterTable).focus_table()
            return
        inner = {"live": "#log", "features": "#feature-table", "queues": "#queue-table"}
        wanted = self.query_one(inner.get(name, f"#{name}"))
        self.screen.set_focus(wanted)

    def _soon(self, action: Callable[[], object]) -> None:
        """Do it now, or once the view is there: a burst of keys is faster."""
        if self.begun:
            action()
        else:
            self._waiting.append(action)

    def action_tab(self, name: str) -> None:
        """Show a tab."""
        self._soon(lambda: self._show_tab(name))

    def _show_tab(self, name: str) -> None:
        self.query_one(ContentSwitcher).current = name
        self.query_one(TabBar).show(name)
        self.focus_tab()

    def action_start(self) -> None:
        """Initialise."""
        self._soon(lambda: self.portrait.start())

    def action_step(self, step: str) -> None:
        """One step."""
        self._soon(lambda: self.portrait.step(step))

    def action_cycles(self) -> None:
        """Ten cycles."""
        self._soon(lambda: self.portrait.cycles())

    def action_checks(self) -> None:
        """Judge the device."""
        self._soon(self._judge)

    @work(exclusive=True, group="judge")
    async def _judge(self) -> None:
        self._show_tab("checks")
        if self.checks.running:
            return
        if not self._available:
            self.notify("this is a snapshot: there is no device to judge", severity="warning")
            return
        await self.portrait.close_session()
        allowed, force = await self.portrait.permission()
        if allowed:
            self.device.lend()
            self.checks.run(self.device.locator, force=force, interrupts=getattr(self.app, "interrupts", "auto"))

    def action_stop(self) -> None:
        """Stop what runs; give the device back when nothing does."""
        self._soon(self._end)

    @work(group="stop")
    async def _end(self) -> None:
        if self.checks.running:
            await self.checks.stop()
        else:
            self.portrait.stop()

    def action_refresh(self) -> None:
        """Look now."""
        self.look()

    def action_export(self) -> None:
        """Write what is seen: the description as JSON, the screen as SVG."""
        from .export import export

        self.notify(export(self.app, self.found, self.device.locator), markup=False)

    def action_back(self) -> None:
        """Back to the list."""
        self.post_message(self.Left())

    async def leave(self) -> None:
        """Stop what runs, and give the device back."""
        if not self.begun:
            return
        await self.checks.stop()
        await self.portrait.close_session()
