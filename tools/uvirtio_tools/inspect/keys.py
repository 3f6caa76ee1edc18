"""Single keys from a terminal, for views that redraw themselves."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from uvirtio.errors import CannotRun

__all__ = ["Keys", "keys", "require_terminal"]

#: Escape sequences of the keys that are used, without the escape.
_SEQUENCES = {
    b"[A": "up", b"[B": "down", b"[C": "right", b"[D": "left", b"OA": "up", b"OB": "down", b"OC": "right", b"OD": "left",
    b"[5~": "pageup", b"[6~": "pagedown",
}  # fmt: skip
_NAMES = {b"\r": "enter", b"\n": "enter", b"\x7f": "back", b"\x08": "back", b"\x03": "q", b"\x04": "q"}
#: How long the rest of an escape sequence may take, in seconds (serial consoles are slow).
_REST = 0.05


def require_terminal(what: str, otherwise: str) -> None:
    """Raise :class:`CannotRun` where no interactive view can be: no terminal, or one that cannot move its cursor.

    A terminal that knows its size is believed, and not COLUMNS and LINES: some guests export them at boot for their
    console, and what is left in them stands for every window that is opened later or resized.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CannotRun(f"{what} needs a terminal; {otherwise}")
    if os.environ.get("TERM", "dumb") in ("", "dumb", "unknown"):
        raise CannotRun(f"{what} needs a terminal that can move its cursor, and TERM is dumb; {otherwise}")
    if all(os.get_terminal_size(sys.stdout.fileno())):
        for name in ("COLUMNS", "LINES"):
            os.environ.pop(name, None)


class Keys:
    """The keyboard of a terminal in cbreak mode."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def wait(self, seconds: float) -> str | None:
        """The next key, or None when none came: ``up``, ``enter``, ``escape``, or the character itself."""
        data = self._read(seconds)
        if data is None:
            return None
        if data != b"\x1b":
            return _NAMES.get(data, data.decode("latin-1"))
        rest = b""
        while (more := self._read(_REST)) is not None:
            rest += more
            if (more.isalpha() and rest != b"O") or more == b"~":
                break
        return _SEQUENCES.get(rest, "escape")

    def _read(self, seconds: float) -> bytes | None:
        ready, _, _ = select.select([self._handle], [], [], max(0.0, seconds))
        if not ready:
            return None
        # End of file: whoever had the terminal is gone.
        return os.read(self._handle, 1) or b"\x04"


@contextmanager
def keys() -> Iterator[Keys]:
    """Single keys from standard input; the terminal is put back at the end."""
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    try:
        tty.setcbreak(handle)
        yield Keys(handle)
    finally:
        # One that is gone is nothing to put back.
        with suppress(termios.error):
            termios.tcsetattr(handle, termios.TCSADRAIN, before)
