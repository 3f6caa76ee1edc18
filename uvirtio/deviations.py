"""Deliberate deviations from the driver's duties: each lifts exactly one guard of the library, and is tagged in the record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .access.trace import Recorder

__all__ = ["Deviations"]


class Deviations:
    """The duties (``D1`` … ``D7``) that are lifted now."""

    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder
        #: Shared with the queues, which keep D3 and D4.
        self.lifted: set[str] = set()

    def allow(self, duty: str) -> bool:
        """Whether a deviation from this duty is under way."""
        return duty in self.lifted

    @contextmanager
    def lift(self, duty: str, why: str) -> Iterator[None]:
        """Lift the guard of one duty, and say why in the record."""
        fresh = duty not in self.lifted
        self.lifted.add(duty)
        try:
            if self._recorder is None:
                yield
            else:
                with self._recorder.deviating(duty, why):
                    yield
        finally:
            if fresh:
                self.lifted.discard(duty)
