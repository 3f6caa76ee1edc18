"""What a block device offers (5.2.5.2)."""

from __future__ import annotations

from collections.abc import Iterator

from ..spec.devices.blk import CONFIG_WCE, FLUSH
from . import Offer, Ruling

__all__ = ["IDS", "rulings"]

#: The statements that these rules know.
IDS = ("BLK1", "BLK2")


def rulings(offer: Offer) -> Iterator[Ruling]:
    """What an offer keeps and breaks."""
    flush = FLUSH in offer.features
    yield Ruling("BLK1", not flush, f"FLUSH is {'' if flush else 'not '}offered")
    if CONFIG_WCE in offer.features:
        yield Ruling("BLK2", not flush, f"CONFIG_WCE is offered {'with' if flush else 'without'} FLUSH")
