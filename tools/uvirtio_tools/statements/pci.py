"""PCI: ids, capabilities, structures, the window into the BARs, vectors (4.1.2, 4.1.4, 4.1.5)."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.rules import Ruling
from uvirtio.rules.structures import IDS, rulings
from uvirtio.spec.registers import NO_VECTOR
from uvirtio.spec.statements import STATEMENTS

from ..judging import names
from ..judging.events import Read
from ..judging.history import Window
from ..judging.layouts import layout_from
from ..judging.observation import Observation, broken, kept, moot, noted
from . import judges
from .common import values

__all__: list[str] = []


def _rulings(window: Window) -> list[Ruling]:
    found: list[Ruling] | None = window.answers.get(names.LAYOUT)
    if found is None:
        layouts = [layout_from(text) for text in values(window, names.LAYOUT)]
        found = [ruling for layout in layouts if layout is not None for ruling in rulings(layout)]
        window.answers[names.LAYOUT] = found
    return found


#: Why there is nothing to judge on a device without it.
_WITHOUT = {
    "P2": "the device has a legacy interface", "P3": "the device has a legacy interface",
    "P4": "the device has a legacy interface", "P8": "there is no notification structure",
    "P9": "the device has no shared memory region", "P10": "the device has fewer than two shared memory regions",
    "P11": "the device has no vendor data", "P12": "the device has no vendor data", "P14": "the device has no MSI-X",
}  # fmt: skip


def _register(id_: str) -> None:
    @judges(id_)
    def by_rule(window: Window) -> Iterator[Observation]:
        """What configuration space shows is held against the rule."""
        of_it = [ruling for ruling in _rulings(window) if ruling.id == id_]
        if wrong := [ruling.text for ruling in of_it if ruling.broken]:
            yield broken("configuration space is not as it has to be", STATEMENTS[id_].text, "; ".join(wrong))
        elif of_it:
            yield kept(of_it[0].text)
        elif id_ in _WITHOUT and values(window, names.LAYOUT):
            yield moot(_WITHOUT[id_])


for _id in IDS:
    _register(_id)


def _pairs(window: Window, what: str) -> Iterator[tuple[str, int, int]]:
    """What was read under names that begin so: the rest of the name, and two numbers."""
    for event in window.of(Read):
        if event.what.startswith(what):
            try:
                first, second = (int(text, 0) for text in event.value.split())
            except ValueError:
                continue  # a history that somebody has changed
            yield event.what.removeprefix(what), first, second


@judges("P13")
def reaches_the_bar(window: Window) -> Iterator[Observation]:
    """Every register reads the same through the window, and holds what was written through it."""
    wrong = [
        f"{name} reads {through:#x} through the window and {direct:#x} in its BAR"
        for name, through, direct in _pairs(window, names.WINDOW)
        if through != direct
    ]
    wrong += [
        f"{name} reads {direct:#x} after {written:#x} was written through the window"
        for name, written, direct in _pairs(window, names.WINDOW_WRITE)
        if written != direct
    ]
    reads = list(_pairs(window, names.WINDOW))
    if wrong:
        yield broken("the window into the BARs goes elsewhere", STATEMENTS["P13"].text, "; ".join(wrong))
    elif any(direct for _, _, direct in reads):
        yield kept(f"{len(reads)} reads through the window were as those of the BAR, and what was written arrived")


@judges("P15")
def maps_events(window: Window) -> Iterator[Observation]:
    """What was written to a vector register reads back, NO_VECTOR too."""
    pairs = list(_pairs(window, names.VECTOR))
    wrong = [f"{event}: {read:#x} after {written:#x} was written" for event, written, read in pairs if read != written]
    if wrong:
        yield broken("a vector register does not read what was mapped", STATEMENTS["P15"].text, "; ".join(wrong))
    elif len({written for _, written, _ in pairs}) > 1:
        yield kept(f"{len(pairs)} mappings read back")


@judges("P16")
def unmaps_by_reset(window: Window) -> Iterator[Observation]:
    """After a reset every vector register reads NO_VECTOR."""
    mapped = [read for _, written, read in _pairs(window, names.VECTOR) if read == written != NO_VECTOR]
    left = [
        (event.what.removeprefix(names.VECTOR_RESET), event.value)
        for event in window.of(Read)
        if event.what.startswith(names.VECTOR_RESET)
    ]
    wrong = [f"{event} is mapped to {value}" for event, value in left if value != f"{NO_VECTOR:#x}"]
    if wrong:
        yield broken("events stay mapped over a reset", STATEMENTS["P16"].text, "; ".join(wrong))
    elif left and mapped:
        yield kept(f"{len(left)} events were mapped before the reset and are not after it")


@judges("P17")
def refuses_vectors(window: Window) -> Iterator[Observation]:
    """A vector beyond the table reads NO_VECTOR. The driver must not map to one, so this is worth a warning and no more."""
    pairs = list(_pairs(window, names.NO_SUCH_VECTOR))
    wrong = [
        f"{event}: {read:#x} after {written:#x} was written" for event, written, read in pairs if read != NO_VECTOR
    ]
    if wrong:
        yield noted("a vector that is not there is taken", STATEMENTS["P17"].text, "; ".join(wrong))
    elif pairs:
        yield kept(f"{len(pairs)} mappings to vectors that are not there read NO_VECTOR")
