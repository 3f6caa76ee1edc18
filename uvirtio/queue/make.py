"""The queue that a set of accepted features asks for."""

from __future__ import annotations

from ..access.dma import DmaMemory
from ..spec.features import Feature, Features
from . import Queue
from .split import SplitQueue

__all__ = ["make_queue"]


def make_queue(index: int, size: int, dma: DmaMemory, accepted: Features, *, legacy: bool = False) -> Queue:
    """A queue of ``size`` descriptors in the negotiated format (virtio 1.4, 2.6)."""
    return SplitQueue(
        index,
        size,
        dma,
        event_idx=Feature.EVENT_IDX in accepted,
        indirect=Feature.INDIRECT_DESC in accepted,
        in_order=Feature.IN_ORDER in accepted,
        legacy=legacy,
    )
