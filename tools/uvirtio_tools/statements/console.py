"""Console devices: the emergency write (5.3.5.1)."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.spec.statements import STATEMENTS
from uvirtio.spec.status import GONE, Status, describe

from ..judging import names
from ..judging.events import Traffic, Trouble
from ..judging.history import Window
from ..judging.observation import Observation, broken, kept
from . import judges
from .common import numbers

__all__: list[str] = []


@judges("CON1")
def takes_emergency_writes(window: Window) -> Iterator[Observation]:
    """The status stays as it was, and the device works."""
    statuses = numbers(window, names.EMERGENCY)
    wrong = [
        f"status {describe(status)}" for status in statuses if status == GONE or status & Status.DEVICE_NEEDS_RESET
    ]
    wrong += [event.text for event in window.of(Trouble) if event.doing == names.AFTER_EMERGENCY]
    if wrong:
        yield broken("an emergency write is not taken", STATEMENTS["CON1"].text, "; ".join(wrong))
    elif statuses and any(traffic.doing == names.AFTER_EMERGENCY for traffic in window.of(Traffic)):
        yield kept("a character was written in reset, before FEATURES_OK and on the running device, which works")
