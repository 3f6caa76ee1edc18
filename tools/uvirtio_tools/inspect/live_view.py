"""What ``uvirtio watch`` shows, live, with nothing but rich: a list of devices or a page of one, moved about by keys."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .keys import keys, require_terminal
from .live import LiveDevice, LiveMachine
from .output import console
from .render import configuration_table, features_table, identity_rows, list_table, mark, queues_table

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType
    from rich.segment import Segment
    from rich.text import Text

__all__ = ["View", "watch"]

_PAGES = ("overview", "features", "queues", "configuration", "events")
_HELP = "q quit  space pause  + - faster slower"


class View:
    """What is on the screen: the list of devices, or one page of one device. Keys change it."""

    def __init__(self, machine: LiveMachine | None, device: LiveDevice | None, interval: float) -> None:
        self.machine = machine
        self.device = device
        self.interval = interval
        self.paused = False
        self.selected = 0
        self.page = 0

    def refresh(self) -> None:
        """Look again, at what is shown."""
        if self.device is not None:
            self.device.refresh()
        elif self.machine is not None:
            self.machine.refresh()
            self.selected = min(self.selected, max(0, len(self.machine.rows) - 1))

    def key(self, key: str) -> bool:
        """Take a key; False: end."""
        if key == "q":
            return False
        if key == " ":
            self.paused = not self.paused
        elif key in "+=":
            self.interval = max(0.1, self.interval / 2)
        elif key == "-":
            self.interval = min(60.0, self.interval * 2)
        elif self.device is not None:
            self._device_key(key)
        elif self.machine is not None:
            self._list_key(key, self.machine)
        return True

    def _device_key(self, key: str) -> None:
        if key in ("escape", "back", "b") and self.machine is not None and self.device is not None:
            self.device.close()
            self.device = None
            self.machine.refresh()
        elif key in ("right", "l", "\t"):
            self.page = (self.page + 1) % len(_PAGES)
        elif key in ("left", "h"):
            self.page = (self.page - 1) % len(_PAGES)
        elif key.isdecimal() and 1 <= int(key) <= len(_PAGES):
            self.page = int(key) - 1

    def _list_key(self, key: str, machine: LiveMachine) -> None:
        if key in ("down", "j"):
            self.selected = min(self.selected + 1, max(0, len(machine.rows) - 1))
        elif key in ("up", "k"):
            self.selected = max(0, self.selected - 1)
        elif key in ("enter", "right", "l") and machine.rows:
            row = machine.rows[self.selected]
            self.device = LiveDevice(row.locator, fixed=row.description if machine.is_fixed else None)
            self.page = 0
            self.device.refresh()

    # -- drawing -----------------------------------------------------------------------------------------------

    def lines(self, height: int) -> RenderableType:
        """The screen, at most ``height`` lines."""
        from rich.console import Group
        from rich.text import Text

        state = "paused" if self.paused else f"every {self.interval:g} s"
        body: RenderableType
        if self.device is not None:
            hint = f"{_HELP}  <- -> pages" + ("  b back" if self.machine is not None else "")
            body = self._device(self.device, height - 3)
        else:
            hint = f"{_HELP}  arrows, enter: open"
            body = self.listing()
        return _Cropped(Group(body, Text(), _line(f"[{state}] {hint}", "reverse")), height)

    def listing(self) -> RenderableType:
        """The list of devices, and what is chosen of it."""
        from rich.console import Group
        from rich.text import Text

        assert self.machine is not None
        rows = self.machine.rows
        if not rows:
            return Text(self.machine.error or "there is no virtio PCI function here")
        parts: list[RenderableType] = []
        chosen = rows[self.selected]
        shown = [row.description for row in rows if row.description is not None]
        parts.append(list_table(shown, wide=False, marked=chosen.locator))
        name = chosen.error or (chosen.description.name if chosen.description else "")
        parts += [Text(), Text(f"{chosen.locator}: {name}", style="bold")]
        parts += [Text(f"! {row.locator}: {row.error}") for row in rows if row.error]
        return Group(*parts)

    def _device(self, device: LiveDevice, height: int) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        tabs = "  ".join(f"[{name}]" if at == self.page else f" {name} " for at, name in enumerate(_PAGES))
        head: list[RenderableType] = [_line(tabs, "bold"), _line(device.locator, "bold")]
        if device.error:
            head.append(Text(f"! {'gone: ' if device.gone else ''}{device.error}", style="bold"))
        if device.description is None:
            return Group(*head)
        return Group(*head, Text(), self._page(device, height - len(head) - 1))

    def _page(self, device: LiveDevice, height: int) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        found = device.description
        assert found is not None
        name = _PAGES[self.page]
        if name in ("queues", "configuration") and found.source == "sysfs":
            return Text("\n".join(found.notes) or "nothing is known about it")
        if name == "features":
            return features_table(found, sentences=False)
        if name == "queues":
            return queues_table(found)
        if name == "configuration":
            return configuration_table(found)
        if name == "events":
            return Text("\n".join(f"{event.clock} {event.text}" for event in list(device.events)[-max(1, height) :]))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for label, text in identity_rows(found):
            grid.add_row(Text(label, style="dim"), Text(text))
        rate = "not counted" if device.rate is None else f"{device.rate:.1f}/s"
        grid.add_row(
            Text("interrupts", style="dim"),
            Text(f"{device.interrupts if device.interrupts is not None else '?'}, {rate}"),
        )
        for queue in found.queues[:8]:
            size = f"{queue.num} descriptors, enabled {mark(queue.enabled)}"
            grid.add_row(Text(f"queue {queue.index}", style="dim"), Text(f"{queue.name or 'unknown'}: {size}"))
        for problem in found.problems:
            grid.add_row(Text("problem"), Text(f"! {problem}"))
        if device.events:
            last = device.events[-1]
            grid.add_row(Text("last event", style="dim"), Text(f"{last.clock} {last.text}"))
        return grid


def _line(text: str, style: str) -> Text:
    """One line, cut where the terminal ends."""
    from rich.text import Text

    return Text(text, style=style, no_wrap=True, overflow="crop")


class _Cropped:
    """A renderable cut to a number of lines, so that a live view never scrolls the screen away."""

    def __init__(self, inner: ConsoleRenderable, height: int) -> None:
        self._inner = inner
        self._height = height

    def __rich_console__(self, screen: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from rich.segment import Segment

        lines = screen.render_lines(self._inner, options.update(height=None), pad=False)
        if len(lines) > self._height:
            # The last line says which keys there are: it stays.
            lines = [*lines[: self._height - 1], lines[-1]]
        for at, line in enumerate(lines):
            yield from line
            if at + 1 < len(lines):
                yield Segment.line()


def watch(view: View) -> None:
    """Show it on the terminal until a key ends it."""
    from rich.live import Live

    require_terminal("uvirtio watch", "`uvirtio show` and `uvirtio watch --count N` need none")
    screen = console()
    view.refresh()
    with keys() as keyboard, Live(console=screen, screen=True, auto_refresh=False) as live:
        due = time.monotonic() + view.interval
        while True:
            live.update(view.lines(screen.height), refresh=True)
            key = keyboard.wait(max(0.0, due - time.monotonic()) if not view.paused else 3600.0)
            if key is not None and not view.key(key):
                break
            if not view.paused and time.monotonic() >= due:
                view.refresh()
                due = time.monotonic() + view.interval
