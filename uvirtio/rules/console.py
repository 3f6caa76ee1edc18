"""What a console offers (5.3.4)."""

from __future__ import annotations

from collections.abc import Iterator

from ..spec.devices.console import MULTIPORT
from . import Offer, Ruling

__all__ = ["IDS", "rulings"]

#: The statements that these rules know.
IDS = ("CON2",)


def rulings(offer: Offer) -> Iterator[Ruling]:
    """What an offer keeps and breaks: each port has two queues, and two more are for control (5.3.2)."""
    ports = offer.number("max_nr_ports")
    if MULTIPORT not in offer.features or ports is None:
        return
    room = max(offer.queues - 2, 0) // 2
    yield Ruling("CON2", not 0 < ports <= room, f"max_nr_ports is {ports}, and the queues are enough for {room}")
