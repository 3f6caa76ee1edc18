"""What the rings cost in the CPU: add, publish and reap of one buffer, without any device.

Four ways side by side, in the same turns: ``pool`` (a batch from a pool), ``queue`` (single buffers with tokens), ``naive``
(see :mod:`.naive`), and ``raw``: nothing but the element accesses that the format demands per buffer and per batch, in the
tightest loop that Python has. The device is played by stores that are timed on their own and taken off.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

from uvirtio.access.dma import Arena, Dma
from uvirtio.queue.packed import PackedQueue
from uvirtio.queue.split import SplitQueue
from uvirtio.spec import packed, split
from uvirtio.spec.features import Feature, Features

from .measure import Runner, interleave
from .naive import NaivePacked, NaiveSplit

__all__ = ["BATCHES", "FORMATS", "VARIANTS", "Heap", "measure_ring", "overhead", "pool_runner", "queue_runner"]

FORMATS = ("split", "packed")
#: The formats with a feature that changes what either side does for a batch.
VARIANTS = tuple(f"{format_} {feature}" for format_ in FORMATS for feature in ("IN_ORDER", "EVENT_IDX"))
BATCHES = (1, 8, 32, 64, 256)
SIZE = 256
#: Bytes of a buffer, and what the device says it wrote.
LENGTH = 64
#: Buffers per turn and way: enough batches of the largest kind that the caches are its own after the first few.
PER_TURN = 16384

Run = Callable[[int], None]


class Heap(Arena):
    """DMA memory that no device sees. ``areas`` are what was allocated, by address."""

    def __init__(self) -> None:
        super().__init__()
        self.areas: dict[int, Dma] = {}

    def allocate(self, size: int, alignment: int = 64, residue: int = 0) -> Dma:
        """See :class:`~uvirtio.access.dma.Arena`."""
        dma = super().allocate(size, alignment, residue)
        self.areas[dma.address] = dma
        return dma

    def grow(self, size: int) -> tuple[memoryview, int]:
        """A chunk of ordinary memory."""
        memory = memoryview(bytearray(max(size, 1 << 22)))
        return memory, 0x1_0000_0000 + 0x1_0000_0000 * len(self._chunks)

    def close(self) -> None:
        """Nothing to give back."""


def _split_device(used_memory: memoryview, size: int, batch: int, *, in_order: bool = False) -> Run:
    """Uses the next batch in order. The entries are there already: in order, they are the same on every lap.

    With IN_ORDER only the first entry of a batch is written, and names the last buffer (2.7.9).
    """
    used = used_memory.cast("H")
    used[split.USED_FLAGS // 2] = split.USED_F_NO_NOTIFY
    elements = used_memory[split.USED_RING : split.USED_RING + split.USED_ELEMENT_SIZE * size].cast("Q")
    for slot in range(0, size, batch if in_order else 1):
        elements[slot] = (slot + batch - 1 if in_order else slot) | LENGTH << 32
    indices = cycle([at & 0xFFFF for at in range(batch, 65536 + batch, batch)])

    def use(times: int) -> None:
        for _ in range(times):
            used[1] = next(indices)

    return use


def _packed_device(
    ring_memory: memoryview, event_memory: memoryview, size: int, batch: int, *, in_order: bool = False
) -> Run:
    """Uses the next batch in order: one slice copy of prepared used descriptors, or the first of them alone (2.8.8)."""
    event_memory.cast("H")[1] = packed.RING_EVENT_DISABLE
    seconds = ring_memory.cast("Q")[1::2]
    flags = (packed.DESC_F_WRITE, packed.DESC_F_WRITE | packed.DESC_F_AVAIL | packed.DESC_F_USED)
    used = [memoryview(bytearray(8 * size)).cast("Q") for _ in flags]
    for words, flag in zip(used, flags, strict=True):
        for slot in range(size):
            words[slot] = LENGTH | (slot + (batch - 1 if in_order else 0)) << 32 | flag << 48
    places = cycle([(words, slice(at, at + batch), at) for words in reversed(used) for at in range(0, size, batch)])

    def use(times: int) -> None:
        for _ in range(times):
            words, where, at = next(places)
            if batch == 1 or in_order:
                seconds[at] = words[at]
            else:
                seconds[where] = words[where]

    return use


def _queue(format_: str, batch: int, size: int, heap: Heap) -> tuple[SplitQueue | PackedQueue, Callable[[], Run]]:
    """A queue, and a function that makes one more device for it. A format of :data:`VARIANTS` has its feature accepted."""
    format_, _, feature = format_.partition(" ")
    accepted = Features.of(Feature[feature]) if feature else Features()
    queue = (SplitQueue if format_ == "split" else PackedQueue)(0, size, heap, accepted)
    queue.notifier = lambda _following: None
    queue.interrupts(False)
    in_order = feature == "IN_ORDER"
    device_memory = heap.areas[queue.device_address].memory
    ring_memory = heap.areas[queue.descriptor_address].memory

    def device() -> Run:
        if format_ == "split":
            return _split_device(device_memory, size, batch, in_order=in_order)
        return _packed_device(ring_memory, device_memory, size, batch, in_order=in_order)

    return queue, device


def overhead(device: Run) -> Run:
    """What it takes to play this device by itself, to be taken off."""

    def run(times: int) -> None:
        for _ in range(times):
            device(1)

    return run


def pool_runner(
    format_: str,
    batch: int,
    size: int = SIZE,
    times: int | None = None,
    *,
    full: bool = False,
    heap: Heap | None = None,
) -> Runner:
    """Publish and reap batches from a pool that fills the queue; ``full``: the rest of it is in flight all the time.

    Queues that are measured together share their ``heap``, as those of a device do.
    """
    queue, device = _queue(format_, batch, size, heap or Heap())
    pool = queue.pool(size, writable=(LENGTH,))
    publish, reap, use = pool.publish, pool.reap, device()
    if full and size > batch:
        publish(size - batch)

    def run(times: int) -> None:
        reaped = 0
        for _ in range(times):
            publish(batch)
            use(1)
            reaped += reap()
        assert reaped == times * batch

    _, other = _queue(format_, batch, size, Heap())
    return Runner(run, batch, times or -(-PER_TURN // batch), overhead(other()))


def queue_runner(format_: str, batch: int, size: int = SIZE, times: int | None = None, *, full: bool = False) -> Runner:
    """Add single buffers, publish them together, and reap their tokens. ``full`` as with :func:`pool_runner`."""
    heap = Heap()
    queue, device = _queue(format_, batch, size, heap)
    add, publish, completed, use = queue.add, queue.publish, queue.completed, device()
    writable = (heap.allocate(LENGTH),)
    if full:
        for _ in range(size - batch):
            add((), writable)
        publish()

    def run(times: int) -> None:
        for _ in range(times):
            for _ in range(batch):
                add((), writable)
            publish()
            use(1)
            done = completed()
            assert len(done) == batch

    _, other = _queue(format_, batch, size, Heap())
    return Runner(run, batch, times or -(-PER_TURN // batch), overhead(other()))


def naive_runner(format_: str, batch: int) -> Runner:
    """The same work, as one writes it first."""
    heap = Heap()
    naive: NaiveSplit | NaivePacked
    if format_ == "split":
        naive = NaiveSplit(SIZE, heap)
        use = _split_device(naive.used.memory, SIZE, batch)
    else:
        naive = NaivePacked(SIZE, heap)
        use = _packed_device(naive.ring.memory, naive.device_event.memory, SIZE, batch)
    buffer = heap.allocate(LENGTH)

    def run(times: int) -> None:
        for _ in range(times):
            for _ in range(batch):
                naive.add(buffer)
            naive.wants_notification()
            use(1)
            assert len(naive.completed()) == batch

    _, other = _queue(format_, batch, SIZE, Heap())
    return Runner(run, batch, -(-PER_TURN // batch), overhead(other()))


def raw_runner(format_: str, batch: int) -> Runner:
    """The element accesses of the format and nothing else.

    Split, per buffer: two stores for the descriptor (le64 each), one for the available entry, two loads for id and length;
    per batch: a store and a load of an index, a load of the flags. Packed, per buffer: two stores for the descriptor, one load
    of length, id and flags; per batch: a load of the event structure.
    """
    words = memoryview(bytearray(16 * SIZE)).cast("Q")
    shorts = memoryview(bytearray(16 * SIZE)).cast("H")
    integers = memoryview(bytearray(16 * SIZE)).cast("I")
    places = [(2 * place, 2 * place + 1, place) for place in range(batch)]

    def run_split(times: int) -> None:
        for _ in range(times):
            for first, second, place in places:
                words[first] = 1
                words[second] = 2
                shorts[place] = 3
            shorts[1] = 4
            shorts[0]
            shorts[2]
            for first, second, _ in places:
                integers[first]
                integers[second]

    def run_packed(times: int) -> None:
        for _ in range(times):
            for first, second, _ in places:
                words[first] = 1
                words[second] = 2
            integers[0]
            for _, second, _ in places:
                words[second]

    return Runner(run_split if format_ == "split" else run_packed, batch, -(-PER_TURN // batch))


def measure_ring(turns: int = 15) -> list[dict[str, object]]:
    """Rows per format and batch; ``ratio_*`` first, which hold on a machine that is busy with other things."""
    rows: list[dict[str, object]] = []
    ways = {"pool": pool_runner, "queue": queue_runner, "naive": naive_runner, "raw": raw_runner}
    for batch in BATCHES:
        runners = {f"{format_} {name}": make(format_, batch) for format_ in FORMATS for name, make in ways.items()}
        runners |= {f"{f} {name}": ways[name](f, batch) for f in VARIANTS for name in ("pool", "queue")}
        timing = interleave(runners, turns)
        for format_ in (*FORMATS, *VARIANTS):
            plain, _, feature = format_.partition(" ")
            rows.append(
                {
                    "bench": "ring",
                    "format": plain,
                    "feature": feature,
                    "batch": batch,
                    "ratio_to_raw": round(timing.ratio(f"{format_} pool", f"{plain} raw"), 2),
                    "ratio_to_split": round(timing.ratio(f"{format_} pool", "split pool"), 2),
                    "naive_ratio": round(timing.ratio(f"{plain} naive", f"{format_} pool"), 2),
                    "ns_per_buffer": round(timing.nanoseconds(f"{format_} pool"), 1),
                    "ns_single": round(timing.nanoseconds(f"{format_} queue")),
                    "ns_naive": round(timing.nanoseconds(f"{plain} naive")),
                    "ns_raw": round(timing.nanoseconds(f"{plain} raw")),
                }
            )
    order = (*FORMATS, *VARIANTS)
    rows.sort(key=lambda row: order.index(f"{row['format']} {row['feature']}".strip()))
    return rows
