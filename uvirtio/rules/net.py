"""What a network device offers (5.1.4.1, 5.1.9)."""

from __future__ import annotations

from collections.abc import Iterator

from ..spec.devices.net import CTRL_RX_EXTRA, CTRL_VQ, HASH_REPORT
from . import Offer, Ruling

__all__ = ["IDS", "rulings"]

#: Statement -> field, smallest and largest value, and one value beside them.
_RANGES = {
    "NET1": ("max_virtqueue_pairs", 1, 0x8000, None),
    "NET2": ("mtu", 68, 0xFFFF, None),
    "NET3": ("mtu", 1280, 0xFFFF, None),
    "NET4": ("rss_max_key_size", 40, 0xFF, None),
    "NET5": ("rss_max_indirection_table_length", 128, 0xFFFF, None),
    "NET6": ("speed", 0, 0x7FFF_FFFF, 0xFFFF_FFFF),
    "NET7": ("duplex", 0, 1, 0xFF),
}
#: Statement -> the bit that is offered only with CTRL_VQ.
_WITH_CONTROL = {"NET8": (HASH_REPORT, "HASH_REPORT"), "NET9": (CTRL_RX_EXTRA, "CTRL_RX_EXTRA")}

#: The statements that these rules know.
IDS = (*_RANGES, *_WITH_CONTROL)


def rulings(offer: Offer) -> Iterator[Ruling]:
    """What an offer keeps and breaks."""
    for id_, (name, least, most, other) in _RANGES.items():
        if (value := offer.number(name)) is not None:
            yield Ruling(id_, not least <= value <= most and value != other, f"{name} is {value}")
    for id_, (bit, name) in _WITH_CONTROL.items():
        if bit in offer.features:
            there = CTRL_VQ in offer.features
            yield Ruling(id_, not there, f"{name} is offered {'with' if there else 'without'} CTRL_VQ")
