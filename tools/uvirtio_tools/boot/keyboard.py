"""A person's terminal as the console of a machine: every key goes there, but one that ends it."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
import tty
from collections.abc import Iterator

from uvirtio.errors import CannotRun

__all__ = ["END", "passed_through"]

#: Ctrl-]
END = b"\x1d"


@contextlib.contextmanager
def passed_through() -> Iterator[int]:
    """While the block runs, keys come as they are typed, unseen; the descriptor that they come from.

    Raises :class:`CannotRun` where there is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CannotRun("a shell or the interface in a VM needs a terminal here; other runs need none")
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    print("the keys go to the VM; Ctrl-] ends it", flush=True)
    tty.setraw(descriptor)
    try:
        yield descriptor
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        os.write(sys.stdout.fileno(), b"\r\n")
