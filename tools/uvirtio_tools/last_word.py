"""The last word of a process that may die of SIGBUS, said by another: Python cannot catch that signal.

It comes of memory that a peer shares and takes away. Python's faulthandler writes to a pipe as the process dies, and a child
that reads it says what that means.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import subprocess

from uvirtio.programs import environment, python_code

__all__ = ["LastWord"]

_SAY = """
import os, sys
dying = sys.stdin.buffer.read()
os.write(2, sys.argv[1].encode() + b"\\n" if b"Bus error" in dying else dying)
"""


class LastWord:
    """``sentence`` is said should this process die of SIGBUS after :meth:`prepare`, until :meth:`close`."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe = -1

    def prepare(self) -> None:
        """Start the child, which costs nothing until then. Where the system has no room for it, nothing will be said."""
        with contextlib.suppress(OSError):
            reader, self._pipe = os.pipe()
            with open(reader, "rb") as file:
                # A session of its own: what ends this process by Ctrl-C must not end the child before it.
                self._child = subprocess.Popen(
                    python_code(_SAY, self._sentence), stdin=file, stdout=subprocess.DEVNULL, env=environment(),
                    start_new_session=True,
                )  # fmt: skip
            faulthandler.enable(self._pipe, all_threads=False)

    def close(self) -> None:
        """There is nothing more to say; idempotent."""
        if self._pipe < 0:
            return
        faulthandler.disable()
        os.close(self._pipe)
        self._pipe = -1
        if self._child is not None:
            self._child.wait()
