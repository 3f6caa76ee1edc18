"""The split virtqueue, driver side (virtio 1.4, 2.7).

Live index fields are touched by single element accesses of a cast memoryview, one load or store each. What is needed to
free a buffer is kept here (``_chains``) and never read back from the ring. A descriptor goes into memory as two 64-bit
stores: its address, and length | flags << 32 | next << 48.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from ..access.dma import Dma, DmaMemory
from ..errors import DeviceMisbehaved, DriverMisuse
from ..spec import split as ring
from . import QueueState
from .base import QueueBase, check_parts

__all__ = ["SplitQueue"]

# Element indices: the rings as le16, the descriptor table and the used elements as le64.
_FLAGS = ring.AVAIL_FLAGS // 2
_IDX = ring.AVAIL_IDX // 2
_RING = ring.AVAIL_RING // 2
_NEXT = ring.DESC_F_NEXT << 32
_WRITE = ring.DESC_F_WRITE << 32
_INDIRECT = ring.DESC_F_INDIRECT << 32
_NEXT_SHIFT = 48
_LOW32 = 0xFFFF_FFFF
#: Smallest indirect table that is allocated, in descriptors; a longer buffer gets a longer one.
_TABLE = 8

#: One descriptor as it was written: the view it is in, the position there, and its two words.
_Written = tuple[memoryview, int, int, int]
#: What the driver knows of a buffer: the descriptors it took, what was written into them, its writable bytes.
_Chain = tuple[list[int], list[_Written], int]


class SplitQueue(QueueBase):
    """A split virtqueue of ``size`` descriptors in ``dma``. See :class:`~uvirtio.queue.Queue`.

    ``event_idx``, ``indirect`` and ``in_order`` say that these features were negotiated. ``legacy`` lays the parts out in one
    block with the used ring on the next page (2.7.2), and ignores lengths that are too long (2.7.8.1). ``fence``
    keeps the store of the available index before the load of the suppression field.
    """

    def __init__(
        self,
        index: int,
        size: int,
        dma: DmaMemory,
        *,
        event_idx: bool = False,
        indirect: bool = False,
        in_order: bool = False,
        legacy: bool = False,
        fence: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(index, size, fence)
        if not 0 < size <= ring.MAX_SIZE or size & (size - 1):
            raise DriverMisuse(
                f"queue {index}: {size} entries; a split queue has a power of two up to {ring.MAX_SIZE} (virtio 1.4, 2.7)"
            )
        self.event_idx = event_idx
        self.indirect = indirect
        self.in_order = in_order
        self.legacy = legacy
        self._dma = dma
        self._mask = size - 1
        self._allocate()
        self._tables: dict[int, Dma] = {}
        self._start()

    def _allocate(self) -> None:
        """The three areas, aligned as 2.7 demands (legacy: as 2.7.2 demands), and the views of them."""
        size = self.size
        descriptors, avail, used = ring.DESC_SIZE * size, ring.avail_size(size), ring.used_size(size)
        if self.legacy:
            second = descriptors + avail
            second += -second % ring.LEGACY_ALIGN
            block = self._dma.allocate(second + used, ring.LEGACY_ALIGN)
            self._owned = [block]
            areas = [block.part(0, descriptors), block.part(descriptors, avail), block.part(second, used)]
        else:
            areas = [
                self._dma.allocate(descriptors, ring.DESC_ALIGN),
                self._dma.allocate(avail, ring.AVAIL_ALIGN),
                self._dma.allocate(used, ring.USED_ALIGN),
            ]
            self._owned = areas
        self._areas = areas
        self.descriptor_address, self.driver_address, self.device_address = (area.address for area in areas)
        self._desc = areas[0].memory.cast("Q")
        self._avail = areas[1].memory.cast("H")
        self._used = areas[2].memory.cast("H")
        elements = areas[2].memory[ring.USED_RING : ring.USED_RING + ring.USED_ELEMENT_SIZE * size]
        self._elements = elements.cast("Q")
        self._used_event = _RING + size
        self._avail_event = ring.USED_RING // 2 + ring.USED_ELEMENT_SIZE // 2 * size

    def _start(self) -> None:
        """The state of a queue that was never used."""
        # A queue of free descriptors: buffers that come back in order are described in ring order, as IN_ORDER demands.
        self._free = deque(range(self.size))
        self._added: dict[int, _Chain] = {}
        self._chains: dict[int, _Chain] = {}
        self._order: deque[int] = deque()
        self._next_avail = 0
        self._seen_used = 0
        self._unannounced = 0
        self._interrupts = True

    # Supplying buffers (2.7.13)

    def add(self, readable: Sequence[Dma], writable: Sequence[Dma]) -> int:
        """Describe a buffer. See :meth:`uvirtio.queue.Queue.add`; the token is the head descriptor."""
        if self._held:
            self._guard("D3")
        free = self._free
        parts = len(readable) + len(writable)
        needed = 1 if parts > 1 and self.indirect else parts
        if needed > len(free):
            check_parts(readable, writable, self.size, self._name)
            raise self._full(needed, len(free))
        elements = [(part.address, part.size) for part in readable]
        capacity = 0
        for part in writable:
            elements.append((part.address, part.size | _WRITE))
            capacity += part.size
        if not 0 < parts <= self.size or not all(size & _LOW32 for _, size in elements):
            check_parts(readable, writable, self.size, self._name)
        if needed < parts:
            chain = self._describe_indirectly(elements, capacity)
        else:
            chain = self._describe(elements, capacity)
        head = chain[0][0]
        self._avail[_RING + (self._next_avail + len(self._added) & self._mask)] = head
        self._added[head] = chain
        return head

    def _describe(self, elements: list[tuple[int, int]], capacity: int) -> _Chain:
        """Chain the elements through the descriptor table (2.7.13.1)."""
        desc, take = self._desc, self._free.popleft
        descriptors = [take() for _ in elements]
        written: list[_Written] = []
        last = len(elements) - 1
        for position, (address, rest) in enumerate(elements):
            if position < last:
                rest |= _NEXT | descriptors[position + 1] << _NEXT_SHIFT
            at = 2 * descriptors[position]
            desc[at] = address
            desc[at + 1] = rest
            written.append((desc, at, address, rest))
        return descriptors, written, capacity

    def _describe_indirectly(self, elements: list[tuple[int, int]], capacity: int) -> _Chain:
        """Put the elements into a table of their own, and one descriptor for it into the ring (2.7.5.3)."""
        head = self._free.popleft()
        table = self._table(head, len(elements))
        view = table.memory.cast("Q")
        written: list[_Written] = []
        last = len(elements) - 1
        for position, (address, rest) in enumerate(elements):
            if position < last:
                rest |= _NEXT | position + 1 << _NEXT_SHIFT
            view[2 * position] = address
            view[2 * position + 1] = rest
            written.append((view, 2 * position, address, rest))
        rest = ring.DESC_SIZE * len(elements) | _INDIRECT
        self._desc[2 * head] = table.address
        self._desc[2 * head + 1] = rest
        written.append((self._desc, 2 * head, table.address, rest))
        return [head], written, capacity

    def _table(self, head: int, length: int) -> Dma:
        """The indirect table of a head descriptor, kept for its next buffer."""
        table = self._tables.get(head)
        if table is None or table.size < ring.DESC_SIZE * length:
            if table is not None:
                table.free()
            table = self._tables[head] = self._dma.allocate(ring.DESC_SIZE * max(length, _TABLE), ring.DESC_ALIGN)
        return table

    def publish(self, notify: bool = True) -> bool:
        """Store the available index once and decide once. See :meth:`uvirtio.queue.Queue.publish`."""
        if self._held:
            self._guard("D3", *(("D4",) if notify else ()))
        added = self._added
        if added:
            self._chains.update(added)
            if self.in_order:
                self._order.extend(added)
            self._expose(len(added))
            added.clear()
        return notify and self._announce()

    def _expose(self, count: int) -> None:
        """The store that makes ``count`` more entries of the available ring the device's (2.7.13.3)."""
        self._next_avail = following = self._next_avail + count & 0xFFFF
        self._unannounced += count
        self._avail[_IDX] = following
        if self.recorder is not None:
            self.recorder.add("publish", "queue", "avail.idx", self.index, 2, following)

    def _announce(self) -> bool:
        """Notify if the device wants it for what was exposed since the last decision (2.7.10, 2.7.13.4)."""
        exposed, self._unannounced = self._unannounced, 0
        if not exposed:
            return False
        self._fence()
        if self.event_idx:
            event = self._used[self._avail_event]
            wanted = (self._next_avail - event - 1 & 0xFFFF) < exposed
        else:
            wanted = not self._used[_FLAGS] & ring.USED_F_NO_NOTIFY
        if wanted:
            self.notifier(self._next_avail)
        return wanted

    def kick(self) -> None:
        """Notify whatever the device wants."""
        if self._held:
            self._guard("D4")
        self._unannounced = 0
        self.notifier(self._next_avail)

    # Receiving used buffers (2.7.14)

    def completed(self) -> list[tuple[int, int]]:
        """Reap what the device has used. See :meth:`uvirtio.queue.Queue.completed`."""
        done: list[tuple[int, int]] = []
        while pending := self._pending():
            if self.in_order:
                failure = self._reap_in_order(pending, done)
            else:
                failure = self._reap(pending, done)
            if failure is not None:
                if done:
                    break
                raise failure
            if not self.event_idx:
                break
            # Move the event along with us; a buffer used before the device saw that is ours to find.
            self._avail[self._used_event] = self._seen_used - (not self._interrupts) & 0xFFFF
            if not self._interrupts:
                break
            self._fence()
        return done

    def _pending(self) -> int:
        """How many entries the device has added to the used ring, by one load of its index, checked."""
        used = self._used[_IDX]
        pending = used - self._seen_used & 0xFFFF
        if pending > len(self._chains):
            raise DeviceMisbehaved(
                f"{self._name}: the used index went from {self._seen_used} to {used}, {pending} entries further, "
                f"but only {len(self._chains)} buffers are in flight"
            )
        return pending

    def _reap(self, pending: int, done: list[tuple[int, int]]) -> DeviceMisbehaved | None:
        """Take ``pending`` entries of the used ring; what is wrong with the first bad one stops it."""
        elements, mask = self._elements, self._mask
        for _ in range(pending):
            element = elements[self._seen_used & mask]
            token, length = element & _LOW32, element >> 32
            failure = self._retire(token, length, done)
            if failure is not None:
                return failure
            self._seen_used = self._seen_used + 1 & 0xFFFF
        return None

    def _reap_in_order(self, pending: int, done: list[tuple[int, int]]) -> DeviceMisbehaved | None:
        """Take batches: one entry names the last buffer of each, the ones before it were used completely (2.7.9)."""
        while pending:
            element = self._elements[self._seen_used & self._mask]
            token, length = element & _LOW32, element >> 32
            batch = list(islice(self._order, pending))
            if token not in batch:
                return self._out_of_order(token, batch)
            batch = batch[: batch.index(token) + 1]
            for skipped in batch[:-1]:
                failure = self._retire(skipped, self._chains[skipped][2], done)
                if failure is not None:
                    return failure
                self._order.popleft()
                self._seen_used = self._seen_used + 1 & 0xFFFF
            failure = self._retire(token, length, done)
            if failure is not None:
                return failure
            self._order.popleft()
            self._seen_used = self._seen_used + 1 & 0xFFFF
            pending -= len(batch)
        return None

    def _retire(self, token: int, length: int, done: list[tuple[int, int]]) -> DeviceMisbehaved | None:
        """Check what the device says about one buffer, free its descriptors, and hand it out."""
        chain = self._chains.get(token)
        if chain is None:
            return self._not_in_flight(token, f"used entry {self._seen_used & self._mask}", len(self._chains))
        descriptors, written, capacity = chain
        if length > capacity:
            if not self.legacy:
                return self._too_long(token, length, capacity)
            length = capacity
        for view, at, address, rest in written:
            if view[at] != address or view[at + 1] != rest:
                return self._overwritten(at // 2, token)
        del self._chains[token]
        self._free.extend(descriptors)
        done.append((token, length))
        return None

    def _out_of_order(self, token: int, batch: list[int]) -> DeviceMisbehaved:
        if token not in self._chains:
            return self._not_in_flight(token, f"used entry {self._seen_used & self._mask}", len(self._chains))
        return DeviceMisbehaved(
            f"{self._name}: used entry {self._seen_used & self._mask} says id {token}, but IN_ORDER was negotiated and "
            f"the oldest buffers in flight are {batch[:4]} (virtio 1.4, 2.7.9)"
        )

    def interrupts(self, enabled: bool) -> bool:
        """Ask for used-buffer notifications, or for none (2.7.7). Returns whether used buffers already wait."""
        self._interrupts = enabled
        if self.event_idx:
            # The entry that lies furthest ahead never comes up while completed() moves the event along.
            self._avail[self._used_event] = self._seen_used - (not enabled) & 0xFFFF
        else:
            self._avail[_FLAGS] = 0 if enabled else ring.AVAIL_F_NO_INTERRUPT
        if enabled:
            self._fence()
        return self._used[_IDX] != self._seen_used

    # Looking, starting over, ending

    @property
    def outstanding(self) -> int:
        """Buffers that are published and not yet reaped."""
        return len(self._chains)

    @property
    def free(self) -> int:
        """Descriptors that are free."""
        return len(self._free)

    def tokens(self) -> list[int]:
        """Tokens of the buffers in flight, oldest publish first."""
        return list(self._chains)

    def state(self) -> QueueState:
        """Where both sides are, from RAM."""
        avail, used = self._avail, self._used
        flags = {"avail.flags": avail[_FLAGS], "used.flags": used[_FLAGS]}
        exhausted = False
        if self.event_idx:
            flags |= {"used_event": avail[self._used_event], "avail_event": used[self._avail_event]}
            exhausted = flags["avail_event"] != self._next_avail
        return QueueState(
            index=self.index,
            format="split",
            size=self.size,
            driver_index=avail[_IDX],
            device_index=used[_IDX],
            seen=self._seen_used,
            in_flight=len(self._chains),
            added=len(self._added),
            free=len(self._free),
            interrupts_suppressed=not self._interrupts,
            notifications_suppressed=exhausted or bool(flags["used.flags"] & ring.USED_F_NO_NOTIFY),
            flags=flags,
            held=self._held,
        )

    def ring_bytes(self) -> bytes:
        """Descriptor table, available ring, used ring."""
        return b"".join(bytes(area.memory) for area in self._areas)

    def reset(self) -> list[int]:
        """Start over after a reset of the device or of this queue. Returns the tokens that were in flight."""
        lost = [*self._chains, *self._added]
        for area in self._areas:
            area.memory[:] = bytes(area.size)
        self._start()
        return lost

    def close(self) -> None:
        """Give all memory back."""
        for dma in (*self._owned, *self._tables.values()):
            dma.free()
        self._owned, self._tables = [], {}
