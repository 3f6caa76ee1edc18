"""Events of the host as scenarios of ``check``, where they are asked for by name and the host side can be asked for one."""

from __future__ import annotations

from functools import partial

from uvirtio.spec.statements import CHAPTERS

from ..judging import names
from ..judging.ends import Skip
from ..judging.stage import Stage
from . import DANGEROUS, scenario
from .ordeal import FULL, IDLE, LOADS, Ordeal

__all__ = ["ASLEEP", "AWAKE", "MOVES", "interrupts_arrive"]

#: What the host side is asked for, the first that it can: each is one way in which a device is saved and restored, or stopped.
MOVES = ("restore", "migrate", "snapshot", "pause")
ASLEEP = ("U16",)
AWAKE = tuple(id_ for id_ in CHAPTERS["survive"] if id_ not in ASLEEP)
#: How long the device is away (s), and how long requests that were notified are left alone before (s).
_AWAY = 0.05
_MOMENT = 5e-5


def interrupts_arrive(stage: Stage) -> bool:
    """Whether an interrupt is seen to arrive for a request, as control of those after an event."""
    return stage.traffic.interrupted(names.BEFORE)


def _move(stage: Stage) -> str:
    """What the host side can be asked for. Raises :class:`Skip`."""
    for name in MOVES:
        if stage.traffic.can(name):
            return name
    raise Skip("nobody here can be asked to stop the machine, or to move it elsewhere")


def _strike(stage: Stage, load: str, *, asleep: bool = False, lines: bool = False) -> bool:
    move = _move(stage)
    ordeal = Ordeal(stage, load, asleep=asleep, lines=lines)
    ordeal.prepare(_MOMENT)
    if not ordeal.strike(move, partial(stage.traffic.ask_host, move, seconds=_AWAY)):
        raise Skip(f"the host could not be had to {move}")
    return ordeal.aftermath()


@scenario(names.ORDEAL, *AWAKE, dialects=(), order=DANGEROUS, each_way=True)
def under_load(stage: Stage) -> None:
    """The host saves the device and restores it: with buffers in every state, with used ones that nobody has looked at, idle."""
    _move(stage)
    stage.start()
    stage.traffic.need()
    lines = interrupts_arrive(stage)
    for number, load in enumerate(LOADS):
        if number:
            stage.history.go_on()
        if not _strike(stage, load, lines=lines):
            return


@scenario(names.ORDEAL_ASLEEP, *ASLEEP, order=DANGEROUS)
def asleep(stage: Stage) -> None:
    """The same with a device that is suspended before, and resumed after."""
    _move(stage)
    stage.start()
    stage.traffic.need()
    for number, load in enumerate((IDLE, FULL)):
        if number:
            stage.history.go_on()
        if not _strike(stage, load, asleep=True):
            return
