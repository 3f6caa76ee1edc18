"""What a block device offers (5.2.4, 5.2.5.2)."""

from __future__ import annotations

from collections.abc import Iterator

from ..spec.devices.blk import CONFIG_WCE, DISCARD, FLUSH, MQ, SECURE_ERASE, WRITE_ZEROES, ZONED
from . import Offer, Ruling

__all__ = ["IDS", "rulings"]

#: The statements that these rules know.
IDS = ("BLK1", "BLK2", "BLK9", "BLK10")
#: Bytes between the fields: offset -> features of which one at least brings a field behind it.
PADDING = {33: (MQ, DISCARD, WRITE_ZEROES, SECURE_ERASE, ZONED)} | dict.fromkeys((57, 58, 59), (SECURE_ERASE, ZONED))

#: Fields that limit requests: with 0 in one of them, taken by its words, there are none that keep it.
_LIMITS = (
    "size_max", "seg_max", "blk_size", "num_queues", "max_discard_sectors", "max_discard_seg", "max_write_zeroes_sectors",
    "max_write_zeroes_seg", "max_secure_erase_sectors", "max_secure_erase_seg",
)  # fmt: skip


def rulings(offer: Offer) -> Iterator[Ruling]:
    """What an offer keeps and breaks."""
    flush = FLUSH in offer.features
    yield Ruling("BLK1", not flush, f"FLUSH is {'' if flush else 'not '}offered")
    if CONFIG_WCE in offer.features:
        yield Ruling("BLK2", not flush, f"CONFIG_WCE is offered {'with' if flush else 'without'} FLUSH")
    limits = {name: value for name in _LIMITS if (value := offer.number(name)) is not None}
    for name in (zero := [name for name, value in limits.items() if not value]):
        yield Ruling("BLK9", True, f"{name} is 0: no request keeps that, if it is meant as a limit")
    if limits and not zero:
        yield Ruling("BLK9", False, ", ".join(f"{name} {value}" for name, value in limits.items()))
    for at, value in offer.padding.items():
        yield Ruling("BLK10", value != 0, f"byte {at} of the configuration, which is padding, is {value:#x}")
