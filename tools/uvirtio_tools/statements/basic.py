"""Status, features, reset and the configuration of any device (2.1 to 2.5, 3.1, 4.1.4.3, 6.2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from uvirtio.access.trace import Access
from uvirtio.rules import Ruling
from uvirtio.rules.offered import IDS, rulings
from uvirtio.spec.features import Features
from uvirtio.spec.statements import STATEMENTS
from uvirtio.spec.status import GONE, Status, describe

from ..judging import names
from ..judging.events import Looked, Read, Traffic
from ..judging.history import Window
from ..judging.layouts import layout_from
from ..judging.looks import changed, moved_indices
from ..judging.observation import Observation, broken, kept, moot, noted
from ..wording import times
from . import judges
from .common import number, records, values

__all__: list[str] = []


def _wrong(id_: str, summary: str, observed: list[str]) -> Observation:
    return broken(summary, STATEMENTS[id_].text, "; ".join(observed[:8]))


# -- what is offered


def _offered(window: Window) -> list[Ruling]:
    for text in values(window, names.LAYOUT):
        layout = layout_from(text)
        if layout is not None and layout.offered is not None:
            return list(rulings(layout.identity.type, layout.offered))
    return []


def _register(id_: str) -> None:
    @judges(id_)
    def by_rule(window: Window) -> Iterator[Observation]:
        """The offered features are held against the rule."""
        of_it = [ruling for ruling in _offered(window) if ruling.id == id_]
        if wrong := [ruling.text for ruling in of_it if ruling.broken]:
            yield _wrong(id_, "the offered features do not fit together", wrong)
        elif of_it:
            yield kept(of_it[0].text)
        elif id_ == "B1" and _offered(window):
            yield moot("no offered feature requires another")


for _id in IDS:
    _register(_id)


@judges("B8")
def shows_the_page(window: Window) -> Iterator[Observation]:
    """Each page reads the same every time; page 0 shows in no other, and far ones have no bits."""
    pages = records(window, names.PAGE, 4)
    if not pages:
        return
    first: dict[int, int] = {}
    wrong = []
    for page, kept_, *seen in pages:
        if not kept_ and page > 1:
            continue  # a selector that is not taken shows whatever was selected before
        for bits in seen:
            if bits != first.setdefault(page, bits):
                wrong.append(f"page {page:#x} reads {first[page]:#x} and {bits:#x}")
    near = {bits for page, bits in first.items() if page in (0, 1)}
    wrong += [
        f"page {page:#x} reads {bits:#x}, as a page before it"
        for page, bits in first.items()
        if page > 1 and bits in near - {0}
    ]
    if wrong:
        yield _wrong("B8", "device_feature does not show the page that is selected", wrong)
    elif first:
        yield kept(f"pages {', '.join(f'{page:#x}' for page in sorted(first))} read the same in both orders")


# -- what is accepted


@judges("B2")
def accepts_subsets(window: Window) -> Iterator[Observation]:
    """FEATURES_OK stays set for every set that is a valid part of the offered ones."""
    sets = records(window, names.SET, 5)
    refused = [str(Features(mask)) for mask, accepted, *_ in sets if not accepted]
    if refused:
        yield _wrong("B2", f"{len(refused)} of {len(sets)} valid sets of features were refused", refused)
    elif len({mask for mask, *_ in sets}) > 1:
        yield kept(f"{len(sets)} valid sets of features were accepted, one after the other")
    elif sets:
        yield moot("the device offers nothing that could be left out")


@judges("B4")
def accepts_again(window: Window) -> Iterator[Observation]:
    """A set that was accepted before is accepted after every later reset."""
    before: set[int] = set()
    again, wrong = 0, []
    for mask, accepted, _, _, _ in records(window, names.SET, 5):
        if mask in before:
            again += 1
            if not accepted:
                wrong.append(f"{Features(mask)} was accepted before and is refused after a reset")
        elif accepted:
            before.add(mask)
    if wrong:
        yield _wrong("B4", "a set of features is refused after a reset", wrong)
    elif again:
        yield kept(f"a set of features was accepted again {times(again)} after a reset")


@judges("B9")
def shows_what_was_accepted(window: Window) -> Iterator[Observation]:
    """Every offered bit that was written reads back from driver_feature."""
    wrong, sets = [], records(window, names.SET, 5)
    for mask, accepted, before, after, offered in sets:
        written = mask & offered
        shown = [("before FEATURES_OK", before)] + ([("after FEATURES_OK", after)] if accepted else [])
        wrong += [
            f"{Features(written)} was accepted, driver_feature reads {Features(read)} {when}"
            for when, read in shown
            if written & ~read
        ]
    if wrong:
        yield _wrong("B9", "driver_feature does not show what was accepted", wrong)
    elif len({mask for mask, *_ in sets}) > 1:
        yield kept(f"{len(sets)} sets of features read back")


@judges("B3")
def refuses_what_is_not_offered(window: Window) -> Iterator[Observation]:
    """FEATURES_OK does not stay set with a bit that was not offered."""
    for bit, status, shown in records(window, names.REFUSED, 3):
        if status == GONE or not status & Status.FEATURES_OK:
            yield kept(f"with feature {bit}, which is not offered, FEATURES_OK read 0")
        else:
            how = "and driver_feature shows it" if shown else "and driver_feature does not show it"
            yield noted(
                "a feature that was not offered did not keep the device from FEATURES_OK", STATEMENTS["B3"].text,
                f"feature {bit} was accepted by the driver, status {describe(status)}, {how}", strict=False,
            )  # fmt: skip


# -- configuration


def _lists(window: Window, what: str) -> Iterator[tuple[str, Any]]:
    for event in window.of(Read):
        if event.what.startswith(what):
            try:
                yield event.what.removeprefix(what), json.loads(event.value)
            except (ValueError, RecursionError):
                continue  # a history that somebody has changed


@judges("B7")
def can_be_read_early(window: Window) -> Iterator[Observation]:
    """No field reads all-ones before FEATURES_OK and something else once the device runs."""
    fields = dict(_lists(window, names.FIELD_READ))
    pairs = [(name.removesuffix(" after"), value) for name, value in fields.items() if name.endswith(" after")]
    early = [(name, fields.get(f"{name} before"), value) for name, value in pairs]
    wrong = [
        f"{name} reads {before} before FEATURES_OK and {after} later"
        for name, before, after in early
        if before != after and _all_ones(before)
    ]
    if wrong:
        yield _wrong("B7", "configuration fields cannot be read before FEATURES_OK", wrong)
    elif not early and values(window, names.SET):
        yield moot("the device has no configuration fields")
    elif any(_says_something(after) for _, _, after in early):
        yield kept(f"{len(early)} configuration fields were read before FEATURES_OK")


def _all_ones(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(each in (0xFF, 0xFFFF, 0xFFFF_FFFF) for each in value)


def _says_something(value: object) -> bool:
    return isinstance(value, list) and any(value) and not _all_ones(value)


@judges("B14")
def halves_are_independent(window: Window) -> Iterator[Observation]:
    """The lower half first, the upper one first, the upper one alone: always the same."""
    wrong, seen = [], []
    for name, value in _lists(window, names.HALVES):
        if not isinstance(value, list) or len(value) != 3 or not all(isinstance(each, list) for each in value):
            continue
        forwards, backwards, alone = value
        seen.append(name)
        if not (forwards == backwards and forwards[-1:] * 2 == alone):
            wrong.append(f"{name}: {forwards} low half first, {backwards} high half first, {alone} high half twice")
    if wrong:
        yield _wrong("B14", "halves of a 64-bit field depend on the order in which they are read", wrong)
    elif not seen and values(window, names.SET):
        yield moot("the device has no 64-bit field")
    elif seen:
        yield kept(f"{', '.join(dict.fromkeys(seen))}: the halves read the same in both orders")


# -- queues' registers


@judges("B11")
def has_no_more_queues(window: Window) -> Iterator[Observation]:
    """queue_size reads 0 for every index that is no queue's; a selector that is not taken shows another queue."""
    absent = records(window, names.ABSENT, 3)
    taken = [(index, size) for index, kept_, size in absent if kept_]
    wrong = [f"queue {index:#x}: queue_size reads {size}" for index, size in taken if size]
    if wrong:
        yield _wrong("B11", "queues that are not there have a size", wrong)
    elif taken:
        yield kept(f"queues {', '.join(f'{index:#x}' for index, _ in sorted(taken))} have size 0")
    elif absent:
        yield moot("queue_select does not take the index of a queue that is not there")


@judges("B12")
def sizes_are_powers_of_2(window: Window) -> Iterator[Observation]:
    """Without RING_PACKED accepted."""
    sizes = {
        event.what.removeprefix(names.SIZE): size
        for event in window.of(Read)
        if event.what.startswith(names.SIZE) and (size := number(event.value)) is not None
    }
    wrong = [f"queue {index}: queue_size reads {size}" for index, size in sizes.items() if size & size - 1]
    if wrong:
        yield _wrong("B12", "queue_size is not a power of 2", wrong)
    elif any(sizes.values()):
        yield kept(f"sizes of {len(sizes)} queues: {', '.join(map(str, sorted(set(sizes.values()))))}")


# -- reset


@judges("B5")
def resets(window: Window) -> Iterator[Observation]:
    """0 is written to a status that is not 0, and then read within the time that is given; no device is suspended here."""
    if window.transitions:
        return
    status, since, done = 0, None, 0
    for event in window.of(Access):
        if event.name != "device_status":
            continue
        if event.kind == "write":
            since = event.time if event.value == 0 and status else None
            status = event.value or status
        elif since is not None and event.value == 0:
            since, status, done = None, 0, done + 1
        elif since is not None and event.value != GONE and (event.last or event.time) - since >= window.setting.timeout:
            yield _wrong("B5", "the device does not reset", [f"0 was written, status reads {describe(event.value)}"])
            return
    if done:
        yield kept(f"0 was written {times(done)}, and status read 0")


@judges("B6")
def rests_after_reset(window: Window) -> Iterator[Observation]:
    """Between two looks at a device that has just been reset under load nothing moved, was written or notified."""
    looks = {event.name: event.look for event in window.of(Looked)}
    before, after = looks.get("just reset"), looks.get("reset for a while")
    if before is None or after is None or not window.of(Traffic):
        return
    observed = [*moved_indices(before, after), *(f"{name} changed" for name in changed(before, after))]
    if after.queue_bits > before.queue_bits or after.config_bits > before.config_bits:
        observed.append(f"ISR showed {after.isr:#x}" if after.isr else "ISR showed bits")
    if observed:
        yield _wrong("B6", "the device went on after its reset", observed)
    elif all(name.endswith("rings") for name in before.memory):
        yield moot("nothing was in flight at the reset")
    else:
        yield kept(f"rings and buffers stayed as they were for {after.time - before.time:g} s after the reset")


@judges("B10")
def registers_are_cleared(window: Window) -> Iterator[Observation]:
    """queue_enable and queue_reset of queues that were enabled read 0."""
    read = [event for event in window.of(Read) if event.what.startswith(names.CLEARED)]
    wrong = [f"{event.what.removeprefix(names.CLEARED)} reads {event.value}" for event in read if event.value != "0"]
    if wrong:
        yield _wrong("B10", "queue registers are not as after a reset", wrong)
    elif read:
        yield kept(f"{len(read)} registers of enabled queues read 0 after the reset")
