"""The rings of a split virtqueue: their memory, their indices, and both directions of notification (virtio 1.4, 2.7).

Every field that the device may read or write at this moment is touched by one element access of a cast memoryview, which is
one load or store. Ranges that belong to one side alone may be copied as slices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..access.dma import DmaMemory
from ..errors import DeviceMisbehaved, DriverMisuse
from ..spec import split as spec
from ..spec.virtqueues import MAX_SIZE
from . import QueueState
from .base import QueueBase

__all__ = ["FLAGS", "FLAGS_SHIFT", "IDX", "NEXT_SHIFT", "RING", "SplitRing"]

#: Where flags, index and entries stand in both rings, seen as le16.
FLAGS = spec.AVAIL_FLAGS // 2
IDX = spec.AVAIL_IDX // 2
RING = spec.AVAIL_RING // 2
#: A descriptor is two le64: its address, and length | flags << FLAGS_SHIFT | next << NEXT_SHIFT.
FLAGS_SHIFT = 32
NEXT_SHIFT = 48


class SplitRing(QueueBase):
    """Descriptor table, available ring and used ring of ``size`` entries in ``dma``."""

    __slots__ = (
        "_areas",
        "_avail_event",
        "_interrupts",
        "_not_notified",
        "_used_event",
        "avail",
        "avail_idx",
        "descriptor_address",
        "device_address",
        "driver_address",
        "elements",
        "last_used_idx",
        "legacy",
        "mask",
        "table",
        "used",
    )

    def __init__(
        self,
        index: int,
        size: int,
        dma: DmaMemory,
        *,
        event_idx: bool,
        legacy: bool,
        fence: Callable[[], object] | None,
        barrier: Callable[[], object] | None,
    ) -> None:
        super().__init__(index, size, dma, fence, barrier)
        if not 0 < size <= MAX_SIZE or size & (size - 1):
            raise DriverMisuse(
                f"queue {index}: {size} entries; a split queue has a power of two up to {MAX_SIZE} (virtio 1.4, 2.7)"
            )
        self.event_idx = event_idx
        self.legacy = legacy
        self.mask = size - 1
        self._allocate(dma)
        self.restart()

    def _allocate(self, dma: DmaMemory) -> None:
        """The three areas, aligned as 2.7 demands (legacy: as 2.7.2 demands), and the views of them."""
        size = self.size
        table, avail, used = spec.DESC_SIZE * size, spec.avail_size(size), spec.used_size(size)
        if self.legacy:
            second = table + avail
            second += -second % spec.LEGACY_ALIGN
            block = dma.allocate(second + used, spec.LEGACY_ALIGN)
            self._owned = [block]
            self._areas = [block.part(0, table), block.part(table, avail), block.part(second, used)]
        else:
            self._areas = self._owned = [
                dma.allocate(table, spec.DESC_ALIGN),
                dma.allocate(avail, spec.AVAIL_ALIGN),
                dma.allocate(used, spec.USED_ALIGN),
            ]
        self.descriptor_address, self.driver_address, self.device_address = (area.address for area in self._areas)
        descriptors, driver, device = (area.memory for area in self._areas)
        #: Descriptor table, two le64 each; both rings as le16; the used elements as le64: id | length << 32.
        self.table = descriptors.cast("Q")
        self.avail = driver.cast("H")
        self.used = device.cast("H")
        self.elements = device[spec.USED_RING : spec.USED_RING + spec.USED_ELEMENT_SIZE * size].cast("Q")
        self._used_event = RING + size
        self._avail_event = (spec.USED_RING + spec.USED_ELEMENT_SIZE * size) // 2

    def restart(self) -> None:
        """Zero the areas and the indices: the rings of a queue that was never used."""
        for area in self._areas:
            area.memory[:] = bytes(area.size)
        #: The available index that we stored last, and how far we have read the used ring.
        self.avail_idx = 0
        self.last_used_idx = 0
        self.outstanding = 0
        self._not_notified = 0
        self._interrupts = True

    def make_available(self, count: int) -> None:
        """Make ``count`` more entries of the available ring the device's: one store of its index (2.7.13.3)."""
        self.avail_idx = avail_idx = self.avail_idx + count & 0xFFFF
        self.outstanding += count
        self._not_notified += count
        if self._barrier is not None:
            self._barrier()  # descriptors, ring entries and what lies in the buffers are there first
        self.avail[IDX] = avail_idx

    def notify(self) -> bool:
        """Notify, if the device wants that for what was exposed since the last decision (2.7.10, 2.7.13.4)."""
        exposed = self._not_notified
        if not exposed:
            return False
        self._not_notified = 0
        self._fence()
        if self.event_idx:
            wanted = (self.avail_idx - self.used[self._avail_event] - 1 & 0xFFFF) < exposed
        else:
            wanted = not self.used[FLAGS] & spec.USED_F_NO_NOTIFY
        if wanted:
            self.notifier(self.avail_idx)
        return wanted

    def kick(self) -> None:
        """Notify whatever the device wants."""
        if self.held:
            self.guard("D4")
        self._not_notified = 0
        if self._barrier is not None:
            self._barrier()
        self.notifier(self.avail_idx)

    @property
    def ready(self) -> bool:
        """Whether used buffers wait, by one load."""
        return self.used[IDX] != self.last_used_idx

    def pending(self) -> int:
        """How many entries the device has added to the used ring, by one load of its index, checked."""
        used = self.used[IDX]
        pending = used - self.last_used_idx & 0xFFFF
        if pending > self.outstanding:
            raise DeviceMisbehaved(
                f"{self.name}: the used index went from {self.last_used_idx} to {used}, {pending} entries further, "
                f"but only {self.outstanding} buffers are in flight",
                rule="used index",
            )
        if pending and self._barrier is not None:
            self._barrier()  # the elements, and what lies in the buffers, are looked at after the index
        return pending

    def consume(self, buffers: int, descriptors: int) -> None:
        """Move on behind so many entries of the used ring; how many descriptors they took does not matter here."""
        self.last_used_idx = self.last_used_idx + buffers & 0xFFFF
        self.outstanding -= buffers

    def move_used_event(self) -> bool:
        """After reaping, move the used event along. Whether there may be more that no notification told of (2.7.7)."""
        if not self.event_idx:
            return False
        if not self._interrupts:
            # The entry that lies furthest ahead: it never comes up as long as we keep moving it.
            self.avail[self._used_event] = self.last_used_idx - 1 & 0xFFFF
            return False
        self.avail[self._used_event] = self.last_used_idx
        self._fence()
        return True

    def interrupts(self, enabled: bool) -> bool:
        """Ask for used-buffer notifications, or for none (2.7.7). Returns whether used buffers already wait."""
        self._interrupts = enabled
        if not self.event_idx:
            self.avail[FLAGS] = 0 if enabled else spec.AVAIL_F_NO_INTERRUPT
            self._fence()
        else:
            self.move_used_event()
        return self.ready

    def state(self) -> QueueState:
        """Where both sides are, from RAM."""
        avail, used = self.avail, self.used
        flags = {"avail.flags": avail[FLAGS], "used.flags": used[FLAGS]}
        suppressed = bool(flags["used.flags"] & spec.USED_F_NO_NOTIFY)
        if self.event_idx:
            flags |= {"used_event": avail[self._used_event], "avail_event": used[self._avail_event]}
            suppressed = flags["avail_event"] != self.avail_idx
        return QueueState(
            index=self.index,
            format="split",
            size=self.size,
            driver_index=avail[IDX],
            device_index=used[IDX],
            seen=self.last_used_idx,
            in_flight=self.outstanding,
            added=self.added,
            free=self.free,
            interrupts_suppressed=not self._interrupts,
            notifications_suppressed=suppressed,
            flags=flags,
            held=self.held,
        )

    def next_heads(self, count: int) -> Sequence[int]:
        """The order in which a pool of so many buffers has to publish its heads."""
        raise NotImplementedError

    def table_memory(self, descriptors: int) -> memoryview:
        """The bytes of the first descriptors of the table."""
        return self._areas[0].memory[: spec.DESC_SIZE * descriptors]

    def ring_bytes(self) -> bytes:
        """Descriptor table, available ring, used ring."""
        return b"".join(bytes(area.memory) for area in self._areas)
