"""What the values that a device offers have to be: the rules that ``show`` goes by as well."""

from __future__ import annotations

import json
from collections.abc import Iterator

from uvirtio.rules import Offer, Ruling, ids, rulings
from uvirtio.spec.features import Features
from uvirtio.spec.statements import STATEMENTS, Level

from ..judging import names
from ..judging.history import Window
from ..judging.observation import Observation, broken, kept, told
from . import judges
from .common import values

__all__: list[str] = []


def _rulings(window: Window) -> list[Ruling]:
    found: list[Ruling] | None = window.answers.get(names.OFFER)
    if found is None:
        found = []
        for text in values(window, names.OFFER):
            try:
                read = json.loads(text)
                fields = {str(name): bytes.fromhex(data) for name, data in read["fields"].items()}
                between = {int(at): int(value) for at, value in read.get("padding", ())}
                offer = Offer(window.setting.device_type, Features(read["features"]), fields, read["queues"], between)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue  # a history that somebody has changed
            found += rulings(offer)
        window.answers[names.OFFER] = found
    return found


def _register(id_: str) -> None:
    @judges(id_)
    def by_rule(window: Window) -> Iterator[Observation]:
        """What the device offers, features and fields, is held against the rule."""
        unspecified = STATEMENTS[id_].level is Level.UNSPECIFIED
        for ruling in _rulings(window):
            if ruling.id != id_:
                continue
            if unspecified:
                yield told(ruling.text)
            elif ruling.broken:
                yield broken("the device offers what it may not", "", ruling.text)
            else:
                yield kept(ruling.text)


for _id in ids():
    _register(_id)
