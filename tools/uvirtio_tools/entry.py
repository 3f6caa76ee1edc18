"""Where the process ``uvirtio`` begins: what Ctrl-C, TERM and HUP do while there is nothing to give back, and at its end.

Importing this sets their handlers, ahead of any other import: only the installed command and ``python -m uvirtio`` do so. An
exception in the midst of an import comes out of it as any other, so nothing is unwound: the process ends. What is imported
here is part of the interpreter.
"""

import _signal  # type: ignore[import-not-found]
import atexit
import posix
import sys

__all__ = ["main"]

_ENDING = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)


def _end(number: int, _frame: object) -> None:
    # A server is ended by TERM, and that is no interruption.
    if number != _signal.SIGINT and sys.argv[1:2] == ["serve"]:
        posix._exit(0)
    try:  # noqa: SIM105
        posix.write(2, b"uvirtio: interrupted\n")
    except OSError:  # contextlib would be an import
        pass  # whether anybody hears of it decides nothing
    posix._exit(130)


def _set(handler: object) -> None:
    for number in _ENDING:
        # `nohup` has it ignored, and means it.
        if number != _signal.SIGHUP or _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, handler)


_set(_end)
# Registered first, so called last: what was to be done is done by then, and Python has only to come to its end.
atexit.register(_set, _signal.SIG_IGN)


def main() -> int:
    """The command line: returns the exit status."""
    import gc
    import os

    # What a run records lives until it is judged: to look through all of it for cycles time and again finds nothing.
    gc.set_threshold(20_000, 20, 50)
    from .cli import main as run
    from .telling import tell_crash

    sys.excepthook = lambda _kind, error, _trace: tell_crash(error)
    if "PATH" in os.environ:
        # Libraries look programs up as well: not where anybody may have put one.
        os.environ["PATH"] = ":".join(entry for entry in os.environ["PATH"].split(":") if entry.startswith("/"))
    return run()
