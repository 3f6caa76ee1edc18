"""Network devices: headers of received frames (5.1.9.4) and the control queue (5.1.9.5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from uvirtio.spec.statements import STATEMENTS

from ..judging import names
from ..judging.events import Read, Trouble
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


def _heads(window: Window) -> Iterator[list[int]]:
    """flags, gso_type and, where the header has it, num_buffers: each combination that was received."""
    for text in values(window, names.HEADS):
        try:
            yield from ([int(number) for number in head] for head in json.loads(text))
        except (ValueError, TypeError, RecursionError, OverflowError):
            continue  # a history that somebody has changed


def _register(id_: str, position: int, name: str, right: int) -> Callable[[Window], Iterator[Observation]]:
    @judges(id_)
    def by_header(window: Window) -> Iterator[Observation]:
        """All frames that came in, those that the driver refused among them."""
        rule = STATEMENTS[id_].rule
        found = {head[position] for head in _heads(window) if position < len(head)}
        wrong = [f"{name} is {value:#x}" for value in sorted(found - {right})]
        wrong += [event.text for event in window.of(Trouble) if rule and event.rule == rule]
        if wrong:
            yield broken("the header of a received frame is wrong", STATEMENTS[id_].text, "; ".join(wrong))
        elif found:
            yield kept(f"{name} of every received frame was {right}")

    return by_header


for _id, _position, _name, _right in (
    ("NET12", 2, "num_buffers", 1),
    ("NET13", 0, "flags", 0),
    ("NET14", 1, "gso_type", 0),
):
    _register(_id, _position, _name, _right)
