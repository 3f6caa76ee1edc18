"""What a person sees while the checks run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ..judging.result import CheckResult
from ..telling import console, tell

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["CheckProgress", "by_lines"]


def by_lines() -> bool:
    """Whether each thing is told as a line, as the environment wants it (``UVIRTIO_PROGRESS=lines``): on the console of a machine
    that may die.
    """
    return os.environ.get("UVIRTIO_PROGRESS") == "lines"


class CheckProgress:
    """One line on a terminal's stderr that says what is being judged; nothing elsewhere.

    A line for each verdict where that is wanted, see :func:`by_lines`.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        """``quiet``: somebody else says how far it is."""
        self._bar: Progress | None = None
        self._lines = by_lines()
        if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            return
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            SpinnerColumn("line"), TextColumn("{task.description}"), TimeElapsedColumn(),
            console=console(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("checking")
        self._bar.start()

    def result(self, result: CheckResult) -> None:
        """One more verdict."""
        if self._lines:
            tell(f"{result.statement.id} {result.verdict.value}")
        if self._bar:
            self._bar.update(self._task, description=f"{result.statement.id} {result.verdict.value}")

    def note(self, text: str) -> None:
        """How far it is, in words."""
        if self._bar:
            self._bar.update(self._task, description=text)

    def close(self) -> None:
        """Take the line away."""
        if self._bar:
            self._bar.stop()
            self._bar = None
