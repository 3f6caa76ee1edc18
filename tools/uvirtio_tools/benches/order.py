"""What it costs a pool that a device uses buffers in another order than that in which it got them."""

from __future__ import annotations

from itertools import cycle
from random import Random

from uvirtio.queue.packed import PackedQueue
from uvirtio.queue.split import SplitQueue
from uvirtio.spec import packed, split

from .measure import Runner, interleave
from .ring import FORMATS, LENGTH, PER_TURN, SIZE, Heap, Run, overhead

__all__ = ["measure_order"]

_BATCH = 64
#: Different orders of a batch, in turn.
_ORDERS = 32
_KINDS = ("in order", "shuffled")


def _orders(shuffled: bool) -> list[list[int]]:
    chance = Random(1)
    orders = [list(range(_BATCH)) for _ in range(_ORDERS)]
    for order in orders if shuffled else ():
        chance.shuffle(order)
    return orders


def _split_device(heap: Heap, queue: SplitQueue, orders: list[list[int]]) -> Run:
    """Uses the batch that the available ring holds next."""
    available = heap.areas[queue.driver_address].memory.cast("H")
    used = heap.areas[queue.device_address].memory
    used.cast("H")[split.USED_FLAGS // 2] = split.USED_F_NO_NOTIFY
    index, ring = used.cast("H"), split.AVAIL_RING // 2
    elements = used[split.USED_RING : split.USED_RING + split.USED_ELEMENT_SIZE * SIZE].cast("Q")
    turns, done = cycle(orders), 0

    def use(times: int) -> None:
        nonlocal done
        for _ in range(times):
            at = done % SIZE
            for slot, which in enumerate(next(turns), at):
                elements[slot] = available[ring + at + which] | LENGTH << 32
            done += _BATCH
            index[1] = done & 0xFFFF

    return use


def _packed_device(heap: Heap, queue: PackedQueue, orders: list[list[int]]) -> Run:
    """Uses the batch that the ring holds next."""
    heap.areas[queue.device_address].memory.cast("H")[1] = packed.RING_EVENT_DISABLE
    seconds = heap.areas[queue.descriptor_address].memory.cast("Q")[1::2]
    flags = (packed.DESC_F_WRITE, packed.DESC_F_WRITE | packed.DESC_F_AVAIL | packed.DESC_F_USED)
    turns, done = cycle(orders), 0

    def use(times: int) -> None:
        nonlocal done
        for _ in range(times):
            at, wrap = done % SIZE, done // SIZE % 2 ^ 1
            ids = [word >> 32 & 0xFFFF for word in seconds[at : at + _BATCH]]
            for slot, which in enumerate(next(turns), at):
                seconds[slot] = LENGTH | ids[which] << 32 | flags[wrap] << 48
            done += _BATCH

    return use


def _runner(format_: str, shuffled: bool) -> Runner:
    """Publish and reap batches from a pool that fills the queue."""

    def made() -> tuple[SplitQueue | PackedQueue, Run]:
        heap = Heap()
        if format_ == "split":
            queue = SplitQueue(0, SIZE, heap)
            return queue, _split_device(heap, queue, _orders(shuffled))
        ring = PackedQueue(0, SIZE, heap)
        return ring, _packed_device(heap, ring, _orders(shuffled))

    queue, use = made()
    queue.interrupts(False)
    pool = queue.pool(SIZE, writable=(LENGTH,))

    def run(times: int) -> None:
        for _ in range(times):
            pool.publish(_BATCH)
            use(1)
            assert pool.reap() == _BATCH

    _, other = made()
    return Runner(run, _BATCH, PER_TURN // _BATCH, overhead(other))


def measure_order(turns: int = 7) -> list[dict[str, object]]:
    """Rows per format: batches that come back in order, and each in an order of its own."""
    runners = {f"{format_} {order}": _runner(format_, order == "shuffled") for format_ in FORMATS for order in _KINDS}
    timing = interleave(runners, turns)
    return [
        {
            "bench": "queue",
            "format": format_,
            "order": order,
            "size": SIZE,
            "batch": _BATCH,
            "ratio_to_in_order": round(timing.ratio(f"{format_} {order}", f"{format_} in order"), 2),
            "ns_per_buffer": round(timing.nanoseconds(f"{format_} {order}"), 1),
        }
        for format_ in FORMATS
        for order in _KINDS
    ]
