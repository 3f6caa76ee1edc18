"""Messages of MSI-X: of the right vector, of none where there is none, and none that is masked (4.1.5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from uvirtio.spec.registers import NO_VECTOR
from uvirtio.spec.statements import STATEMENTS

from ..judging import names
from ..judging.history import Window
from ..judging.observation import Observation, broken, kept, moot, noted
from ..judging.observation import told as said
from . import judges
from .common import values

__all__: list[str] = []

#: Changes whose bit of ISR has to be missing before that is told: one might have been read with the change before.
_CHANGES = 2


#: What was caused, and what it is called.
_EVENTS = (
    (names.MESSAGES_OF_QUEUES, "a used buffer"),
    (names.MESSAGES_OF_CHANGES, "a change"),
    (names.MESSAGES_OF_MOVED, "a change, of a configuration that got another vector as the device ran,"),
    (names.MESSAGES_OF_RESET, "a used buffer, of a queue that got another vector when it was reset,"),
)


class _Caused(NamedTuple):
    """An event that was caused. ``plan``: the vectors of the configuration and of the first queue."""

    plan: tuple[int, int]
    expected: frozenset[int]
    seen: frozenset[int]
    mapped: frozenset[int]
    used: int
    changed: int
    shown: int
    missing: int

    @property
    def vectors(self) -> frozenset[int]:
        """Those whose messages have to come."""
        return self.expected - {NO_VECTOR}

    @property
    def arrived(self) -> bool:
        """Whether they have come."""
        return bool(self.vectors) and self.vectors <= self.seen


def _lists(text: str, length: int) -> list[list[int]] | None:
    """So many lists of numbers; None where somebody has changed the history."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, list) or len(read) != length or not all(isinstance(each, list) for each in read):
        return None
    return read if all(type(number) is int for each in read for number in each) else None


def _caused(window: Window, what: str) -> list[_Caused]:
    """The events of a kind that came about."""
    found = []
    for text in values(window, what):
        lists = _lists(text, 5)
        if lists is None or len(lists[0]) != 2 or len(lists[4]) != 4:
            continue
        plan, expected, seen, mapped, rest = lists
        each = _Caused((plan[0], plan[1]), frozenset(expected), frozenset(seen), frozenset(mapped), *rest)
        if each.changed and (what in (names.MESSAGES_OF_CHANGES, names.MESSAGES_OF_MOVED) or each.used):
            found.append(each)
    return found


def _named(vectors: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(vectors))) or "none"


@judges("P19")
def by_its_vector(window: Window) -> Iterator[Observation]:
    """Mapped in different ways, buffers and changes show as the messages of their vectors."""
    right, silent = 0, 0
    for what, event in _EVENTS:
        caused = [each for each in _caused(window, what) if each.vectors]
        came = {each.plan for each in caused if each.arrived}
        right += len(came)
        for plan in dict.fromkeys(each.plan for each in caused):
            tries = [each for each in caused if each.plan == plan]
            other = next((each for each in tries if each.seen - each.vectors), None)
            if plan in came:
                continue
            if other is None:
                silent += 1
                continue
            yield broken(
                "an event does not send the message of its vector", STATEMENTS["P19"].text,
                f"{event} is mapped to vector {_named(other.vectors)}, and messages of {_named(other.seen)} came",
            )  # fmt: skip
            return
        if stray := next((each for each in caused if each.seen - each.mapped), None):
            yield broken(
                "a message came of a vector that nothing is mapped to", STATEMENTS["P19"].text,
                f"{event} is mapped to vector {_named(stray.vectors)}, and messages of {_named(stray.seen)} came",
            )  # fmt: skip
            return
    if right:
        # One that does not come at all may have got lost between the device and here: a vector that was masked before, say.
        lost = (f"in {silent} more no message came at all",) if silent else ()
        yield kept(f"the messages of the vectors came that events were mapped to, in {right} mappings", remarks=lost)
    elif values(window, names.MESSAGES_OF_QUEUES):
        yield moot("no message came at all")


def _without(window: Window, id_: str, what: str, event: str) -> Iterator[Observation]:
    """Nothing is sent for an event that is mapped to no vector, though it is with one."""
    caused = _caused(window, what)
    silent = [each for each in caused if each.expected == {NO_VECTOR}]
    if not silent:
        return
    # What else is mapped may notify meanwhile: a console that is resized tells that on a queue as well.
    wrong = next((each for each in silent if each.seen - each.mapped), None)
    quiet = [each for each in silent if not each.seen]
    if wrong is not None:
        yield broken(
            f"{event} without a vector sends a message", STATEMENTS[id_].text,
            f"{event} had no vector, and messages of {_named(wrong.seen)} came",
        )  # fmt: skip
    elif not quiet:
        yield moot(f"{event} had no vector, and what has one sent messages each time")
    elif any(each.arrived for each in caused):
        yield kept(f"{event} without a vector sent no message, {len(quiet)} times, and did with one")
    else:
        yield moot(f"{event} sent no message with a vector either")


@judges("P20")
def silent_queue(window: Window) -> Iterator[Observation]:
    """A queue on NO_VECTOR uses buffers, and no message comes."""
    yield from _without(window, "P20", names.MESSAGES_OF_QUEUES, "a queue")


@judges("P21")
def silent_configuration(window: Window) -> Iterator[Observation]:
    """The configuration is on NO_VECTOR and changes, and no message comes."""
    yield from _without(window, "P21", names.MESSAGES_OF_CHANGES, "the configuration")


@judges("P22")
def masked_waits(window: Window) -> Iterator[Observation]:
    """A buffer is used while the vectors are masked: no message, until they are not."""
    for way in values(window, names.NOT_MASKED):
        yield moot(f"messages are seen by {way}, so that nothing is masked and sent later in the device itself")
    for text in values(window, names.MASKED_MESSAGES):
        lists = _lists(text, 4)
        if lists is None or not any(lists[0]):
            continue
        _, masked, pending, later = lists
        if masked:
            yield broken(
                "a vector that is masked sends its message", STATEMENTS["P22"].text,
                f"messages of vector {_named(frozenset(masked))} came while these were masked",
            )  # fmt: skip
        elif later:
            how = "and was pending meanwhile" if pending else "though no pending bit showed meanwhile"
            yield kept(f"a masked message came when it was unmasked, {how}")
        else:
            # By the device, or by a hypervisor in between: QEMU's vfio layer may lose what comes while it masks.
            yield said(
                "a buffer was used while its vector was masked; no message came, neither then nor when it was unmasked",
                pending=pending,
            )


@judges("P23")
def isr_with_messages(window: Window) -> Iterator[Observation]:
    """ISR is read right after a message of the configuration.

    Where it is said what MSI-X does ISR is not used (4.1.5.1.2), and many devices leave it alone: a warning, and no failure.
    """
    changes = [each for each in _caused(window, names.MESSAGES_OF_CHANGES) if each.arrived]
    shown, missing = sum(each.shown for each in changes), sum(each.missing for each in changes)
    if shown:
        yield kept(f"ISR showed the configuration bit with {shown} messages of the configuration")
    elif missing >= _CHANGES:
        yield noted(
            "ISR does not show a configuration change with MSI-X", STATEMENTS["P23"].text,
            f"{missing} messages of the configuration came, and ISR read 0 with its bit each time", strict=False,
        )  # fmt: skip
