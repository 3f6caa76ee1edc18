"""What Ctrl-C, TERM and HUP do while a command runs: it ends through every ``finally``, once.

Before and after that :mod:`.entry` has them.
"""

from __future__ import annotations

import _thread
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Handled", "Interrupted", "Raised", "ending"]

#: Seconds until an interrupt is tried again that came where no exception gets out of.
_AGAIN = 0.01


class Interrupted(KeyboardInterrupt):
    """One of the signals that end a command has come; ``number`` is which."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def ending() -> tuple[int, ...]:
    """The signals that end a command. ``nohup`` has SIGHUP ignored, and means it."""
    hang_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGINT, signal.SIGTERM, *hang_up)


class Handled:
    """While the block runs, ``handle`` is called with the number of each signal that ends a command.

    ``number``: which of them came first. Only for the main thread.
    """

    def __init__(self, handle: Callable[[int], None], numbers: Sequence[int] | None = None) -> None:
        self.number: int | None = None
        self._handle = handle
        self._numbers = ending() if numbers is None else tuple(numbers)
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Handled:
        for number in self._numbers:
            self._before[number] = signal.getsignal(number)
            signal.signal(number, self._came)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _came(self, number: int, _frame: FrameType | None) -> None:
        self.number = self.number or number
        self._handle(number)


class Raised(Handled):
    """While the block runs, the first of the signals raises :class:`Interrupted`; later ones do not disturb the cleaning up.

    Where an exception gets lost, in a callback or a finaliser that Python calls, it is raised again a moment later, and
    nothing is printed about it.
    """

    def __init__(self, numbers: Sequence[int] | None = None) -> None:
        super().__init__(self._raise, numbers)
        self._raised = False
        self._hook = sys.unraisablehook

    def __enter__(self) -> Raised:
        self._hook = sys.unraisablehook
        sys.unraisablehook = self._lost
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        sys.unraisablehook = self._hook
        if kind is None and self.number is not None and not self._raised:
            # It got lost so late that the block has ended before it could come again.
            self._raise(self.number)

    def _raise(self, number: int) -> None:
        if not self._raised:
            self._raised = True
            raise Interrupted(number)

    def _lost(self, lost: sys.UnraisableHookArgs) -> None:
        if not isinstance(lost.exc_value, Interrupted):
            self._hook(lost)
            return
        self._raised = False
        number, thread = lost.exc_value.number, _thread.get_ident()

        def again() -> None:
            time.sleep(_AGAIN)
            if not self._raised:
                signal.pthread_kill(thread, number)  # this thread itself: it may be waiting for something

        # Not now: it would be lost in this hook.
        _thread.start_new_thread(again, ())
