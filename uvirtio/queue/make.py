"""The queue that a set of accepted features asks for."""

from __future__ import annotations

from ..access.dma import DmaMemory
from ..access.trace import Recorder
from ..spec.features import Feature, Features
from . import Queue
from .observed import Observed, ObservedPackedQueue, ObservedSplitQueue
from .packed import PackedQueue
from .split import SplitQueue

__all__ = ["make_queue"]


def make_queue(
    index: int,
    size: int,
    dma: DmaMemory,
    accepted: Features,
    *,
    legacy: bool = False,
    recorder: Recorder | None = None,
) -> Queue:
    """A queue of ``size`` descriptors in the negotiated format (virtio 1.4, 2.6); with a ``recorder`` one that is watched."""
    queue: SplitQueue | PackedQueue
    if Feature.RING_PACKED in accepted:
        packed = PackedQueue if recorder is None else ObservedPackedQueue
        queue = packed(index, size, dma, accepted)
    else:
        split = SplitQueue if recorder is None else ObservedSplitQueue
        queue = split(index, size, dma, accepted, legacy=legacy)
    if recorder is not None:
        assert isinstance(queue, Observed)
        queue.watch(recorder)
    return queue
