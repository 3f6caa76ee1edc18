"""Network devices: the control queue (5.1.9.5)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from uvirtio.spec.statements import STATEMENTS

from ..judging import names
from ..judging.events import Read
from ..judging.history import Window
from ..judging.observation import Observation, broken, kept
from . import judges
from .common import values

__all__: list[str] = []


@judges("NET10")
def takes_modes(window: Window) -> Iterator[Observation]:
    """Every command is acknowledged."""
    answers = [event for event in window.of(Read) if event.what.startswith(names.ANSWER)]
    if wrong := [event.value for event in answers if event.value != "OK"]:
        yield broken("a receive mode is not taken", STATEMENTS["NET10"].text, "; ".join(wrong))
    elif answers:
        yield kept(f"{len(answers)} commands for receive modes were acknowledged")


@judges("NET11")
def shows_its_address(window: Window) -> Iterator[Observation]:
    """The field reads what was set."""
    wrong, good = [], 0
    for text in values(window, names.MAC):
        try:
            told, shown = json.loads(text)
        except (ValueError, TypeError, RecursionError):
            continue  # a history that somebody has changed
        if told == shown:
            good += 1
        else:
            wrong.append(f"mac reads {shown} after {told} was set")
    if wrong:
        yield broken("the field mac does not show the address", STATEMENTS["NET11"].text, "; ".join(wrong))
    elif good:
        yield kept(f"mac read what was set, {good} times")
