"""The terminal of the interface, which may go away: a window that is closed, a connection that breaks.

Each of Textual's threads would end with a traceback on that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import IO, Any, cast

from textual.drivers.linux_driver import LinuxDriver

from ..standard_files import discard

__all__ = ["Terminal"]


class Terminal(LinuxDriver):
    """Textual's own, which ends the application (``interrupt()``) where there is no terminal any more."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._file: Any = _Screen(cast("IO[str]", self._file), app.interrupt)

    def run_input_thread(self) -> None:
        """Wait for input and pass it on."""
        try:
            super().run_input_thread()
        except OSError:
            self._app.interrupt()  # type: ignore[attr-defined]


class _Screen:
    """The file that is drawn on: what it does not take any more is dropped."""

    def __init__(self, file: IO[str], gone: Callable[[], None]) -> None:
        self._file = file
        self._gone = gone

    def write(self, text: str) -> int:
        try:
            return self._file.write(text)
        except OSError:
            return self._lost(text)

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError:
            self._lost("")

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()

    def _lost(self, text: str) -> int:
        discard(sys.stderr)
        self._gone()
        return len(text)
