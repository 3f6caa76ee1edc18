"""What is wrong with a set of feature bits: unknown, in conflict, without what they need (virtio 1.4, 2.2.1, 2.2.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from uvirtio.spec.devices import FeatureBit, describe_feature, device_spec
from uvirtio.spec.devices.common import COMMON
from uvirtio.spec.dialects import CHROMIUM, V1_4
from uvirtio.spec.features import Feature, Features

from .model import FeatureRow

__all__ = ["feature_rows", "offered_dialects"]


def offered_dialects(number: int, offered: int, *, legacy: bool = False) -> tuple[str, ...]:
    """The suspend dialects that a device offers. ``rfc`` is never among them: its bit 41 is ADMIN_VQ."""
    found = []
    for dialect in (V1_4, CHROMIUM):
        if offered >> dialect.feature & 1 and describe_feature(number, dialect.feature, legacy=legacy).dialect:
            found.append(dialect.name)
    return tuple(found)


def feature_rows(
    number: int, offered: int | None, accepted: int | None, *, legacy: bool = False
) -> tuple[FeatureRow, ...]:
    """One row for every bit that is offered or accepted, with what is wrong about it. None: not known."""
    problems = _problems(number, offered, accepted, legacy=legacy)
    rows = []
    bits = set(Features((offered or 0) | (accepted or 0))) | set(problems)
    for bit in sorted(bits):
        text = describe_feature(number, bit, legacy=legacy)
        rows.append(
            FeatureRow(
                bit,
                text.name,
                text.sentence,
                text.origin,
                text.dialect,
                None if offered is None else bool(offered >> bit & 1),
                None if accepted is None else bool(accepted >> bit & 1),
                tuple(problems.get(bit, ())),
            )
        )
    return tuple(rows)


def _problems(number: int, offered: int | None, accepted: int | None, *, legacy: bool) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)

    def name(bit: int) -> str:
        return describe_feature(number, bit, legacy=legacy).name

    own = device_spec(number).features
    numbers = {entry.number for entry in own}
    entries = [*own, *(entry for entry in COMMON if entry.number not in numbers)]
    for entry in entries:
        if offered is not None and offered >> entry.number & 1:
            _check_set(entry, offered, "offered", name, found[entry.number])
            for bit in entry.offer_with:
                if not offered >> bit & 1:
                    found[entry.number].append(f"offered without {name(bit)}, which must be offered with it")
            for bit in entry.offer_should:
                if not offered >> bit & 1:
                    found[entry.number].append(f"offered without {name(bit)}, which should be offered with it")
            for bit in entry.excludes:
                if offered >> bit & 1:
                    found[entry.number].append(f"offered together with {name(bit)}, which it should not be")
        if accepted is not None and accepted >> entry.number & 1:
            _check_set(entry, accepted, "accepted", name, found[entry.number])
    if offered is not None:
        for bit in Features((accepted or 0) & ~offered):
            found[bit].append("accepted although it is not offered; the device stores what is written")
        if not legacy and not offered >> Feature.VERSION_1 & 1:
            found[Feature.VERSION_1].append("not offered; a device with the modern interface must offer it (6.2)")
        if len(offered_dialects(number, offered, legacy=legacy)) > 1:
            found[CHROMIUM.feature].append(f"offered together with {name(V1_4.feature)}: two dialects of suspend")
    return {bit: sentences for bit, sentences in found.items() if sentences}


def _check_set(entry: FeatureBit, mask: int, verb: str, name: Callable[[int], str], into: list[str]) -> None:
    for bit in entry.requires:
        if not mask >> bit & 1:
            into.append(f"{verb} without {name(bit)}, which it requires")
    if entry.requires_any and not any(mask >> bit & 1 for bit in entry.requires_any):
        into.append(
            f"{verb} without any of {', '.join(name(bit) for bit in entry.requires_any)}, one of which it requires"
        )
