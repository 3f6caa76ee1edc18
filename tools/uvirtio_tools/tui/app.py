"""The application: what is there on every screen, and how it begins and ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen

from uvirtio.foreign import printable

from ..inspect.live import LiveMachine
from .colours import ANSI_THEMES, Colourless, has_colours
from .defused import Defused
from .device_list import DeviceList
from .dialogs import Page, TooSmall
from .hotplug import follow
from .main_screen import INTERVAL, MainScreen
from .style import CSS
from .surface import Terminal

__all__ = ["LEAST", "Inspector"]

#: Smallest terminal that everything fits into.
LEAST = (60, 16)

_EVERYWHERE = """\
?  help of the place where one is      ^p  all commands, by name
q  leave; what is driven is given back

The checks, the rings and the trace are the device's: Enter opens it first."""


class Inspector(App[None]):
    """Devices in a terminal. ``interval`` 0 looks only when asked (for tests)."""

    TITLE = "uvirtio"
    ENABLE_COMMAND_PALETTE = True
    CSS = CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", show=False),
        Binding("q", "quit", "quit", show=False),
        Binding("ctrl+c", "interrupt", "interrupt", show=False, priority=True),
    ]

    def __init__(self, machine: LiveMachine, *, interval: float | None = None, interrupts: str = "auto") -> None:
        # Asked before Textual takes NO_COLOR out of the environment.
        self._colourless = None if has_colours() else Colourless()
        super().__init__(driver_class=Terminal)
        self.machine = machine
        self.interval = interval
        #: Ended by Ctrl-C, by a signal, or because there is no terminal any more.
        self.interrupted = False
        self._leaving = False
        #: How a device that is driven notifies.
        self.interrupts = interrupts
        self._unfollow: Callable[[], None] = lambda: None
        self._defused = Defused()

    def on_mount(self) -> None:
        """Show the list; with one named device, that one."""
        # A movement is drawn many times, which a serial console or a slow guest would show for seconds.
        self.animation_level = "none"
        if self.interrupted:  # by a signal that came before there was anything to end
            self.exit()
        # A console of 16 colours shows its own; a theme of millions would come out as mud, or as black on black.
        if self._colourless is not None or self.console.color_system in (None, "standard", "windows"):
            self.theme = next(name for name in ANSI_THEMES if name in self.available_themes)
        interval = INTERVAL if self.interval is None else self.interval
        screen = MainScreen(self.machine, interval=interval)
        self.push_screen(screen)
        if not self.machine.is_fixed and interval:
            self._unfollow = follow(lambda: self._plugged(screen))

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Whatever is drawn, by whomever, steers no terminal."""
        if self._colourless is not None:  # Textual's own would make greys of what has no colour
            return [self._defused, self._colourless]
        return [self._defused, *super().get_line_filters()]

    def _plugged(self, screen: MainScreen) -> None:
        """Something came or went; called in udev's thread, which may outlive the application by a moment."""
        with contextlib.suppress(RuntimeError):
            self.call_from_thread(screen.look)

    def interrupt(self) -> None:
        """Leave; from any thread, and from a signal's handler."""
        self.interrupted = True
        if (loop := self._loop) is not None:
            with contextlib.suppress(RuntimeError):  # it has come to its end meanwhile
                loop.call_soon_threadsafe(self.exit)

    def exit(self, *result: Any, **how: Any) -> None:
        """Leave."""
        self._leaving = True
        super().exit(*result, **how)

    def _handle_exception(self, error: Exception) -> None:
        # As it leaves its widgets go, and what is still under way misses them: that is no mistake to be shown.
        if not self._leaving:
            super()._handle_exception(error)

    def action_interrupt(self) -> None:
        """Leave, by Ctrl-C."""
        self.interrupt()

    def on_unmount(self) -> None:
        """Stop listening to udev."""
        self._unfollow()

    def on_resize(self, event: events.Resize) -> None:
        """Say so where the terminal is too small."""
        small = event.size.width < LEAST[0] or event.size.height < LEAST[1]
        if small and not isinstance(self.screen, TooSmall):
            self.push_screen(TooSmall(LEAST))
        elif not small and isinstance(self.screen, TooSmall):
            self.pop_screen()

    def action_help(self) -> None:
        """Which keys there are, here and everywhere."""
        screen = self.screen
        if isinstance(screen, MainScreen):
            name, text = screen.place()
            self.push_screen(Page(f"keys: {name}", f"{text}\n\nEverywhere\n{_EVERYWHERE}"))

    async def action_quit(self) -> None:
        """Leave, and give back what is driven."""
        for screen in self.screen_stack:
            if isinstance(screen, MainScreen):
                for view in screen.views:
                    await view.leave()
        self.exit()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What ctrl+p offers beside Textual's own."""
        yield from super().get_system_commands(screen)
        if not isinstance(screen, MainScreen):
            return
        devices = screen.query_one(DeviceList)
        yield SystemCommand("Bind to uio_pci_generic", "take the device", devices.action_bind)
        yield SystemCommand("Give back", "to the driver that it had", devices.action_restore)
        yield SystemCommand("Doctor", "is this machine ready?", devices.action_doctor)
        for row in self.machine.rows:
            yield SystemCommand(
                f"Open {printable(row.locator)}", "its live portrait", partial(screen.open_device, row.locator)
            )
        if (view := screen.view) is None:
            return
        steps: dict[str, tuple[str, Callable[[], Any]]] = {
            "Initialise": ("up to DRIVER_OK", view.action_start), "Suspend": ("write SUSPEND", partial(view.action_step, "suspend")),
            "Resume": ("write DRIVER_OK", partial(view.action_step, "resume")), "Reset": ("write 0", partial(view.action_step, "reset")),
            "Submit requests": ("without a notification", partial(view.action_step, "submit")),
            "Kick": ("notify the device", partial(view.action_step, "kick")), "Ten cycles": ("each judged", view.action_cycles),
            "Judge": ("the conformance checks", view.action_checks), "Stop": ("and give the device back", view.action_stop),
            "Export": ("JSON and SVG into the working directory", view.action_export),
        }  # fmt: skip
        for name, (what, action) in steps.items():
            yield SystemCommand(f"{name}: {printable(view.device.locator)}", what, action)
