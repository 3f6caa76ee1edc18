"""Before the device is initialised completely: SUSPEND is ignored (V1, R3, R4), nothing is consumed (V13)."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.spec.status import GONE, Status, describe

from ..judging import names
from ..judging.events import Drained, Loaded, Looked, Read, Traffic, Trouble
from ..judging.history import Window
from ..judging.looks import changed, moved_indices
from ..judging.observation import Evidence, Observation, broken, kept, moot
from . import judges
from .common import number

__all__: list[str] = []


def _poked(window: Window) -> tuple[int, list[str]]:
    """At how many stages SUSPEND was written, and what is wrong with the status that was read then."""
    wrong, stages = [], 0
    for event in window.of(Read):
        status = number(event.value)
        if status is None or not event.what.startswith(names.POKED):
            continue
        when = event.what.removeprefix(names.POKED)
        stages += when not in ("after DRIVER_OK", "after traffic")
        if status == GONE:
            continue
        if status & Status.SUSPEND:
            wrong.append(f"{when}: status reads {describe(status)}")
        elif status & Status.DEVICE_NEEDS_RESET:
            wrong.append(f"{when}: the device set DEVICE_NEEDS_RESET: {describe(status)}")
    return stages, wrong


@judges("V1", "R3")
def ignored_before_initialised(window: Window) -> Iterator[Observation]:
    """Status | SUSPEND at every stage; bit 16 must not read back, and the initialisation must still work."""
    if "V1" not in window.shows:
        return
    stages, wrong = _poked(window)
    if not stages:
        return
    wrong += [f"the initialisation did not finish, or no data moved: {trouble.text}" for trouble in window.of(Trouble)]
    if wrong:
        yield broken(
            "SUSPEND was not ignored before the device was initialised",
            "bit 16 never reads back, the initialisation finishes, and data moves", "; ".join(wrong),
        )  # fmt: skip
    elif any(traffic.doing == names.FINISHED for traffic in window.of(Traffic)):
        yield kept(f"SUSPEND was ignored at {stages} stages of the initialisation, which finished and moved data")


@judges("R4")
def ignored_when_not_negotiated(window: Window) -> Iterator[Observation]:
    """SUSPEND on a running device that was not given the feature: the bit must not read back, traffic goes on."""
    if "R4" not in window.shows:
        return
    stages, wrong = _poked(window)
    wrong += [trouble.text for trouble in window.of(Trouble)]
    if wrong:
        yield broken(
            "SUSPEND was not ignored although its feature was not negotiated", "bit 16 does not read back, data moves",
            "; ".join(wrong),
        )  # fmt: skip
    elif stages and any(traffic.doing == names.ODD for traffic in window.of(Traffic)):
        yield kept("SUSPEND did not read back, and traffic went on")


@judges("V13")
def waits_for_driver_ok(window: Window) -> Iterator[Observation]:
    """Buffers published before the first DRIVER_OK, without a kick, stay untouched until then; afterwards they are served."""
    looks = {event.name: event.look for event in window.of(Looked)}
    empty, before, after = (looks.get(name) for name in ("empty", "published", "before DRIVER_OK"))
    loaded = window.of(Loaded)
    if empty is None or before is None or after is None or not loaded:
        return
    published = loaded[-1].submitted
    evidence: Evidence = {"before": before.to_json(), "after": after.to_json(), "published": published}
    # A device may set up its side of a ring early; taking buffers is what it must not do.
    observed = [*moved_indices(empty, after), *changed(before, after, buffers_only=True)]
    if after.queue_bits > empty.queue_bits:
        observed.append("ISR bit 0 was set")
    if observed:
        yield broken(
            "buffers were consumed, or notified, before DRIVER_OK",
            "buffers, rings and ISR stay untouched before DRIVER_OK", "; ".join(observed), **evidence,
        )  # fmt: skip
    elif trouble := [event for event in window.of(Trouble) if event.doing == names.EARLY]:
        yield moot(f"the buffers stayed untouched, but were not served after DRIVER_OK either: {trouble[0].text}")
    elif any(event.doing == names.EARLY for event in window.of(Drained)):
        yield kept(
            f"{published} buffers stayed untouched for {window.setting.hold / 2:g} s before DRIVER_OK, and were served after it",
            **evidence,
        )  # fmt: skip
