"""Every way in which words reach a terminal: what somebody else wrote is defused here, whoever passes it on.

rich takes no markup, and a segment that is drawn has nothing left in it that a terminal acts on.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from uvirtio.foreign import printable

from .standard_files import discard

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

#: Blanks before the end of a line, and what ends colours among them.
_BLANKS = re.compile(r"[ ]+((?:\x1b\[[0-9;]*m)*)\n")

__all__ = ["STYLES", "console", "say", "tell", "tell_crash"]

#: How a verdict looks in a line among others.
STYLES = {
    "PASS": "green", "FAIL": "bold red", "ERROR": "bold magenta", "WARN": "yellow", "SKIP": "dim", "INFO": "cyan",
}  # fmt: skip


def tell(sentence: object, *, who: str = "uvirtio") -> None:
    """A message for people, on standard error; where nobody can be told, nobody is."""
    try:
        print(f"{who}: {printable(sentence, lines=True)}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        discard(sys.stderr)


def tell_crash(error: BaseException) -> None:
    """A mistake of ours, with its traceback: an exception may quote what somebody else wrote."""
    import traceback  # here: it is hoped for that nobody needs it

    for line in "".join(traceback.format_exception(error)).splitlines():
        with contextlib.suppress(OSError, ValueError):
            print(printable(line), file=sys.stderr, flush=True)


def say(sentence: object) -> None:
    """A line of what was asked for, on standard output."""
    print(printable(sentence, lines=True))


def console(**options: Any) -> Console:
    """A console for standard output (``stderr``: for that) that leaves words alone."""
    made: Console = _kind()(highlight=False, markup=False, emoji=False, **options)
    return made


@cache
def _kind() -> type[Console]:
    from rich.console import Console
    from rich.segment import Segment

    class Defused(Console):
        """What rich draws is looked through before it is laid out, so that everything still stands in its column.

        Lines end with their last word: a table is filled with blanks up to its edge, which ends up in whatever copies it.
        """

        def _render_buffer(self, buffer: Iterable[Segment]) -> str:
            text: str = super()._render_buffer(buffer)
            # A whole screen is drawn over the one before, and needs its blanks.
            return text if self.is_alt_screen or self._live_shown() else _BLANKS.sub(r"\1\n", text)

        def _live_shown(self) -> bool:
            return getattr(self, "_live", None) is not None or bool(getattr(self, "_live_stack", None))

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                if segment.control or segment.text.isprintable():
                    yield segment
                else:
                    yield Segment("\n".join(map(printable, segment.text.split("\n"))), segment.style)

    return Defused
