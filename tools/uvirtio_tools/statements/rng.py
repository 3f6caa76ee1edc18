"""Entropy devices: what they fill buffers with (5.4.6.2)."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.access.trace import Used
from uvirtio.spec.statements import STATEMENTS

from ..judging.events import Drained, Trouble
from ..judging.history import Window
from ..judging.observation import Observation, broken, kept
from . import judges

__all__: list[str] = []


@judges("RNG1")
def fills_buffers(window: Window) -> Iterator[Observation]:
    """The driver has looked at what came back."""
    if wrong := [event.text for event in window.of(Trouble) if event.rule == "random bytes"]:
        yield broken("a buffer was used without random bytes", STATEMENTS["RNG1"].text, wrong[0])
    elif window.of(Drained) and (used := len(window.of(Used))):
        yield kept(f"{used} buffers had random bytes, never the same ones")
