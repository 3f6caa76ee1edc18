"""What `show` says of the values that a device offers: by the rules that `check` judges it by."""

from __future__ import annotations

from collections.abc import Iterable

from uvirtio.rules import Offer, padding, rulings
from uvirtio.spec.features import Features
from uvirtio.spec.statements import STATEMENTS

from .model import ConfigField

__all__ = ["offer_problems"]

#: Rules about one feature bit beside another: the bit's own row tells of those.
_IN_THE_ROWS = frozenset({"BLK2", "NET8", "NET9"})


def offer_problems(type_: int, offered: int, fields: Iterable[ConfigField], raw: bytes, queues: int) -> list[str]:
    """A sentence for each rule that an offer breaks, with the verdict that `check` has for it."""
    values = {
        field.name: raw[field.offset : field.offset + field.width * field.count]
        for field in fields
        if field.valid and field.value is not None
    }
    found, features = [], Features(offered)
    between = {at: raw[at] for at in padding(type_, features) if at < len(raw)}
    for ruling in rulings(Offer(type_, features, values, queues, between)):
        if ruling.broken and ruling.id not in _IN_THE_ROWS:
            verdict = "FAIL" if STATEMENTS[ruling.id].level.binding else "WARN"
            found.append(f"{ruling.text} ({verdict} of {ruling.id})")
    return found
