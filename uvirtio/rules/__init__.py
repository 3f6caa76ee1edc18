"""What the values that a device offers have to be: read once, held against the specification by `show` and `check` alike.

One module per device type, named after it, with ``IDS`` (the statements that it knows) and ``rulings``, and ``PADDING``
where a rule is about bytes between the fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

from ..spec.devices import TYPES
from ..spec.features import Features

__all__ = ["Offer", "Ruling", "ids", "padding", "rulings"]

#: Types whose values have rules.
_MODULES: tuple[str, ...] = ("blk", "console", "net")


class Ruling(NamedTuple):
    """That a statement is kept, or broken, by what a device offers; ``text`` says by what."""

    id: str
    broken: bool
    text: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What a device offers before anybody has accepted anything.

    ``fields``: the configuration fields that exist with these features, little-endian bytes by name; ``queues``: their number; ``padding``:
    bytes between fields, by offset, as :func:`padding` names them.
    """

    type: int
    features: Features
    fields: Mapping[str, bytes]
    queues: int
    padding: Mapping[int, int] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        """A field as a number, None where the device does not have it."""
        data = self.fields.get(name)
        return None if data is None else int.from_bytes(data, "little")


@cache
def _module(name: str) -> ModuleType:
    return import_module(f".{name}", __name__)


def ids() -> tuple[str, ...]:
    """The statements that all of these rules know."""
    return tuple(id_ for name in _MODULES for id_ in _module(name).IDS)


def padding(device_type: int, features: Features) -> list[int]:
    """Offsets of the padding bytes that rules are about and that have a field behind them."""
    if (name := TYPES.get(device_type)) not in _MODULES:
        return []
    known: Mapping[int, tuple[int, ...]] = getattr(_module(name), "PADDING", {})
    return [at for at, bits in known.items() if any(bit in features for bit in bits)]


def rulings(offer: Offer) -> Iterator[Ruling]:
    """What an offer keeps and breaks of the rules for its type; nothing for a type without."""
    if (name := TYPES.get(offer.type)) in _MODULES:
        yield from _module(name).rulings(offer)
