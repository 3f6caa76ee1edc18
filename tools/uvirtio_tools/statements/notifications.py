"""Notifications by the device: used buffers, configuration changes, ISR, the interrupt line (2.7.7, 2.7.10, 4.1.4.5)."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.spec.statements import STATEMENTS

from ..judging import names
from ..judging.events import Listened, Traffic
from ..judging.history import Window
from ..judging.observation import Observation, broken, kept, moot, noted
from . import judges
from .common import numbers, records, silent_isr

__all__: list[str] = []

_REQUESTS = "requests of this run that came back"


@judges("N1")
def notifies_used_buffers(window: Window) -> Iterator[Observation]:
    """ISR shows traffic as bit 0. That it never does is worth a warning: where it is due is the device's and the driver's race."""
    traffic = window.of(Traffic)
    requests = (_REQUESTS, window.way)
    window.memory[requests] = window.memory.get(requests, 0) + sum(event.completed for event in traffic)
    if any(event.notified for event in traffic):
        yield kept("traffic on the running device showed in ISR")
    seen = numbers(window, names.USED_SEEN)
    if seen and not seen[-1] and (count := window.memory[requests]):
        yield noted(
            "used buffers were never notified", STATEMENTS["N1"].text,
            f"{count} requests came back in this run, and ISR never showed bit 0", strict=False,
        )  # fmt: skip


@judges("N2")
def keeps_quiet(window: Window) -> Iterator[Observation]:
    """A request without a wanted notification shows nothing in ISR, and those around it do."""
    wanted = [event for event in window.of(Listened) if event.about == names.WANTED]
    unwanted = [event for event in window.of(Listened) if event.about == names.UNWANTED]
    if unwanted and (why := silent_isr(window)):
        yield moot(why)
    elif any(event.shown for event in unwanted):
        yield broken(
            "a buffer was notified although the driver wanted no notification",
            STATEMENTS["N2"].text,
            "ISR bit 0 was set",
        )
    elif unwanted and wanted and all(event.shown for event in wanted):
        yield kept(f"a request that was not to be notified was not, {len(unwanted)} times, and those around it were")
    elif wanted:
        yield moot("wanted notifications did not show as ISR bit 0 either")


@judges("N3")
def notifies_changes(window: Window) -> Iterator[Observation]:
    """Each change that shows in the fields comes with ISR bit 1."""
    changes = [came for moved, _, _, came in records(window, names.CHANGE, 4) if moved]
    if changes and not all(changes):
        lost = changes.count(0)
        yield broken(
            "a configuration change was not notified", STATEMENTS["N3"].text,
            f"{lost} of {len(changes)} changes that show in the fields did not set ISR bit 1 within {window.setting.timeout:g} s",
        )  # fmt: skip
    elif changes:
        yield kept(f"each of {len(changes)} changes set ISR bit 1")
    elif records(window, names.CHANGE, 4):
        yield moot("what the host side was asked for did not change the configuration")


@judges("N4")
def counts_generations(window: Window) -> Iterator[Observation]:
    """Each change that was read has moved config_generation."""
    changes = [(old, new) for moved, old, new, _ in records(window, names.CHANGE, 4) if moved]
    if stuck := [f"config_generation is {new}, as before the change" for old, new in changes if old == new]:
        yield broken("config_generation does not tell of a change", STATEMENTS["N4"].text, stuck[0])
    elif changes:
        yield kept(f"config_generation moved with each of {len(changes)} changes")


@judges("N5")
def shows_the_interrupt(window: Window) -> Iterator[Observation]:
    """Interrupt Status is 1 when ISR is about to show bits, and 0 when it is about to show none."""
    wrong, shown = [], 0
    for quiet, during, bits, after, left in records(window, names.LINE_STATUS, 5):
        shown += bool(bits)
        if bits and not during:
            wrong.append(f"ISR showed {bits:#x}, and Interrupt Status was 0 right before")
        elif not bits and during:
            wrong.append("ISR showed 0, and Interrupt Status was 1 right before")
        if not left and after:
            wrong.append("ISR showed 0, and Interrupt Status was still 1 after it had been read")
        elif shown and quiet and not left:
            wrong.append("Interrupt Status was 1 with nothing to be notified")
    if wrong:
        yield broken("the Interrupt Status bit does not follow ISR", STATEMENTS["N5"].text, wrong[0])
    elif shown:
        yield kept(f"Interrupt Status was 1 before ISR was read and 0 after it, {shown} times")
    elif records(window, names.LINE_STATUS, 5):
        yield moot("ISR showed nothing, so there was nothing for Interrupt Status to show")


@judges("N6")
def isr_is_cleared(window: Window) -> Iterator[Observation]:
    """A read of ISR that showed bits is followed by one that shows none, and so it is after traffic."""
    traffic = window.of(Traffic)
    if traffic and all(event.sticky for event in traffic):
        yield broken(
            "reading ISR does not clear it", STATEMENTS["N6"].text,
            "with nothing outstanding ISR showed bits in several reads in a row",
        )  # fmt: skip
        return
    reads = [(bits, left) for _, _, bits, _, left in records(window, names.LINE_STATUS, 5) if bits]
    if reads and all(left for _, left in reads):
        yield broken(
            "reading ISR does not clear it", STATEMENTS["N6"].text,
            f"{len(reads)} times ISR was read with nothing outstanding, and showed {reads[0][1]:#x} again right after",
        )  # fmt: skip
    elif reads:
        yield kept(f"ISR showed bits {len(reads)} times, and none when it was read again")
    elif any(event.used and not event.sticky for event in traffic):
        yield kept("ISR showed bits with traffic, and none when it was read again")


@judges("N7")
def interrupts(window: Window) -> Iterator[Observation]:
    """Nobody reads ISR while the interrupt is waited for.

    One that never comes for buffers may be lost on its way through the machine, so it is a warning; one that comes for buffers and not for the
    configuration has no such excuse.
    """
    heard = [event for event in window.of(Listened) if event.what == "line"]
    buffers = [event.shown for event in heard if event.about == names.ON_THE_LINE]
    changes = [event.shown for event in heard if event.about == names.CHANGE and event.expected]
    if any(buffers) and changes and not all(changes):
        yield broken(
            "a configuration change comes without an interrupt", STATEMENTS["N7"].text,
            "used buffers interrupted, and a change that set ISR bit 1 did not",
        )  # fmt: skip
    elif any(buffers):
        yield kept(f"the interrupt came for used buffers{' and for a configuration change' if changes else ''}")
    elif buffers and (why := silent_isr(window)):
        yield moot(why)
    elif buffers:
        yield noted(
            "no interrupt arrives", STATEMENTS["N7"].text,
            f"ISR shows used buffers, and nothing arrived at {window.setting.line}", strict=False,
        )  # fmt: skip
