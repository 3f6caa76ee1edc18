"""The application: what is there on every screen, and how it begins and ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen

from ..inspect.live import LiveMachine
from .defused import Defused
from .device import DeviceScreen
from .dialogs import Page, TooSmall
from .hotplug import follow
from .list_screen import INTERVAL, ListScreen
from .style import CSS
from .surface import Terminal

__all__ = ["LEAST", "Inspector", "ListScreen"]

#: Smallest terminal that everything fits into.
LEAST = (60, 16)

_HELP = """Everything is done with the keyboard.

  up, down     choose a device, a queue, a feature
  enter        open the device
  1 ... 8      overview, features, capabilities, queues, configuration, events, drive, trace
  escape       back
  b, g         take a device for uio_pci_generic, give it back; both ask first
  d            is this machine ready? (doctor)
  e            export: the screen as SVG, the device as JSON, into the working directory
  r            look again now
  ctrl+p       all commands
  q            leave

On the tab "drive":

  i            initialise the device (a real one is taken first, and given back at the end)
  s, k, w      submit requests, notify the device, wait until all have come back
  p, u         suspend, resume
  x            reset
  f            ten cycles under the workload, each judged
  t            the conformance checks
  z            stop, and give the device back

A device that a kernel driver holds is not disturbed: what is shown of it comes from sysfs."""


class Inspector(App[None]):
    """Devices in a terminal. ``interval`` 0 looks only when asked (for tests)."""

    TITLE = "uvirtio"
    ENABLE_COMMAND_PALETTE = True
    CSS = CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", show=False),
        Binding("ctrl+c", "interrupt", "interrupt", show=False, priority=True),
    ]

    def __init__(self, machine: LiveMachine, *, interval: float | None = None, interrupts: str = "auto") -> None:
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
        # A console of 16 colours shows its own; a theme of millions would come out as mud.
        if self.console.color_system in (None, "standard", "windows"):
            self.theme = "ansi-dark"
        interval = INTERVAL if self.interval is None else self.interval
        screen = ListScreen(self.machine, interval=interval)
        self.push_screen(screen)
        if not self.machine.is_fixed and interval:
            self._unfollow = follow(lambda: self._plugged(screen))

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Whatever is drawn, by whomever, steers no terminal."""
        return [self._defused, *super().get_line_filters()]

    def _plugged(self, screen: ListScreen) -> None:
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
        """Which keys there are."""
        self.push_screen(Page("keys", _HELP))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What ctrl+p offers beside Textual's own."""
        yield from super().get_system_commands(screen)
        if isinstance(screen, ListScreen):
            yield SystemCommand("Open the device", "everything that it says", screen.action_open)
            yield SystemCommand("Bind to uio_pci_generic", "take the device", screen.action_bind)
            yield SystemCommand("Give back", "to the driver that it had", screen.action_restore)
            yield SystemCommand("Doctor", "is this machine ready?", screen.action_doctor)
        if isinstance(screen, DeviceScreen):
            yield SystemCommand("Drive", "initialise, suspend, resume", lambda: screen.action_tab("drive"))
            yield SystemCommand("Export", "JSON and SVG into the working directory", screen.action_export)
