"""Where the time of a check went: ``--timing``."""

from __future__ import annotations

import time

from ..judging.history import Window
from ..telling import console

__all__ = ["Timing"]


class Timing:
    """Listens to a history and adds up, for each scenario, seconds by the clock and of this process.

    What passes between two scenarios (a reset, judging what was seen) counts as the time of the one that follows.
    """

    def __init__(self) -> None:
        self._spent: dict[tuple[str, str], tuple[float, float]] = {}
        self._last = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.monotonic(), time.process_time()

    def __call__(self, window: Window) -> None:
        """A window has been closed."""
        self._add(window.scenario or "opening the device", window.way)

    def _add(self, doing: str, way: str = "") -> None:
        now = self._now()
        clock, process = self._spent.get((doing, way), (0.0, 0.0))
        self._spent[doing, way] = clock + now[0] - self._last[0], process + now[1] - self._last[1]
        self._last = now

    def show(self, title: str) -> None:
        """The table, on standard error: the longest first."""
        from rich import box
        from rich.table import Table

        self._add("giving the device back")
        total, busy = (sum(column) for column in zip(*self._spent.values(), strict=True))
        table = Table(
            title=f"where the time of {title} went", box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False
        )
        table.add_column("what was done")
        table.add_column("notified by")
        for head in ("seconds", "processor", "share"):
            table.add_column(head, justify="right")
        for (doing, way), (clock, process) in sorted(self._spent.items(), key=lambda item: -item[1][0]):
            table.add_row(doing, way, f"{clock:.3f}", f"{process:.3f}", f"{100 * clock / total:.0f} %")
        table.add_row("all of it", "", f"{total:.3f}", f"{busy:.3f}", "")
        console(stderr=True).print(table)
