"""What a set of offered features has to be by itself (2.2.2, 6.2)."""

from __future__ import annotations

from collections.abc import Iterator

from ..spec.devices import device_spec
from ..spec.devices.common import COMMON
from ..spec.devices.model import FeatureBit
from ..spec.features import Feature, Features
from . import Ruling

__all__ = ["IDS", "described", "rulings", "valid"]

#: The statements that these rules know.
IDS = ("B1", "B13")


def _bits(device_type: int) -> list[FeatureBit]:
    """The bits that the specification gives a device of this type, the legacy interface's left out."""
    own = device_spec(device_type).features
    numbers = {bit.number for bit in own}
    return [bit for bit in (*own, *COMMON) if bit.origin == "spec" and (bit in own or bit.number not in numbers)]


def described(device_type: int, offered: Features) -> Features:
    """Those that the specification describes for the type: a driver must not accept others (2.2.1)."""
    return offered & Features.of(*(bit.number for bit in _bits(device_type)))


def _lacks(bit: FeatureBit, features: Features) -> str:
    """What a bit requires and these features do not have; empty where nothing is missing."""
    missing = [str(need) for need in bit.requires if need not in features]
    if bit.requires_any and not any(need in features for need in bit.requires_any):
        missing.append(f"one of {', '.join(map(str, bit.requires_any))}")
    return " and ".join(missing)


def valid(device_type: int, features: Features) -> Features:
    """The largest part of these features in which each has what it requires."""
    while lacking := [bit.number for bit in _bits(device_type) if bit.number in features and _lacks(bit, features)]:
        features = features - Features.of(*lacking)
    return features


def rulings(device_type: int, offered: Features) -> Iterator[Ruling]:
    """What an offer keeps and breaks."""
    requiring = [bit for bit in _bits(device_type) if bit.number in offered and (bit.requires or bit.requires_any)]
    wrong = [(bit, lack) for bit in requiring if (lack := _lacks(bit, offered))]
    for bit, lack in wrong:
        yield Ruling("B1", True, f"feature {bit.number} ({bit.name}) is offered without {lack}, which it requires")
    if requiring and not wrong:
        yield Ruling("B1", False, f"{len(requiring)} offered features require others, which are offered too")
    if Feature.VERSION_1 in offered:
        yield Ruling("B13", False, "VERSION_1 (bit 32) is offered")
    else:
        yield Ruling("B13", True, f"VERSION_1 (bit 32) is not offered: {offered}")
