"""The ring of a packed virtqueue: its memory, both positions with their wrap counters, and both directions of
notification (virtio 1.4, 2.8).

The device polls one place only, the next descriptor in ring order. So the flags of the first descriptor of a batch are stored
last, in one store with the length and the id that stand beside them, and everything behind it becomes visible at once.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

from ..access.dma import DmaMemory
from ..errors import DeviceMisbehaved, DriverMisuse
from ..spec import packed as spec
from ..spec.virtqueues import MAX_SIZE
from . import QueueState
from .base import QueueBase

__all__ = ["AVAILABLE", "FLAGS_SHIFT", "ID_SHIFT", "USED", "USED_MASK", "PackedRing"]

#: A descriptor is two le64: its address, and length | id << ID_SHIFT | flags << FLAGS_SHIFT.
ID_SHIFT = 32
FLAGS_SHIFT = 48
#: The two flags that tell available from used, by wrap counter: as the driver writes them, and as the device does (2.8.1).
USED_MASK = spec.DESC_F_AVAIL | spec.DESC_F_USED
AVAILABLE = (spec.DESC_F_USED, spec.DESC_F_AVAIL)
USED = (0, USED_MASK)

_EVENT_DESC = 0
_EVENT_FLAGS = 1
_FLAGS_MASK = 3
_OFFSET = spec.EVENT_WRAP - 1
_WRAP_SHIFT = 15


class PackedRing(QueueBase):
    """Descriptor ring of ``size`` entries and both event suppression structures in ``dma``."""

    __slots__ = (
        "_areas",
        "_device_event",
        "_driver_event",
        "_interrupts",
        "_not_notified",
        "avail_wrap",
        "descriptor_address",
        "descriptors",
        "device_address",
        "driver_address",
        "flagless",
        "next_avail",
        "next_used",
        "used_wrap",
        "written",
    )

    def __init__(
        self,
        index: int,
        size: int,
        dma: DmaMemory,
        *,
        event_idx: bool,
        fence: Callable[[], object] | None,
        barrier: Callable[[], object] | None,
    ) -> None:
        super().__init__(index, size, dma, fence, barrier)
        if not 0 < size <= MAX_SIZE:
            raise DriverMisuse(f"queue {index}: {size} entries; a packed queue has 1 to {MAX_SIZE} (virtio 1.4, 2.8)")
        self.event_idx = event_idx
        self._areas = self._owned = [
            dma.allocate(spec.DESC_SIZE * size, spec.DESC_ALIGN),
            dma.allocate(spec.EVENT_SIZE, spec.EVENT_ALIGN),
            dma.allocate(spec.EVENT_SIZE, spec.EVENT_ALIGN),
        ]
        self.descriptor_address, self.driver_address, self.device_address = (area.address for area in self._areas)
        descriptors, driver, device = (area.memory for area in self._areas)
        #: The descriptor ring, two le64 each. The device's event structure is read whole, in one load.
        self.descriptors = descriptors.cast("Q")
        self._driver_event = driver.cast("H")
        self._device_event = device.cast("I")
        self.restart()

    def restart(self) -> None:
        """Zero the areas and the positions: the ring of a queue that was never used."""
        for area in self._areas:
            area.memory[:] = bytes(area.size)
        #: Flags of each descriptor as the driver last wrote them.
        self.written = array("H", bytes(2 * self.size))
        #: Where the next descriptor will be written, and where the device's next used one is expected, with wrap counters.
        self.next_avail, self.avail_wrap = 0, 1
        self.next_used, self.used_wrap = 0, 1
        self.outstanding = 0
        #: Whether a buffer has come back with a length and without the flag that says so, see :meth:`unflagged`.
        self.flagless = False
        self._not_notified = 0
        self._interrupts = True

    def advance(self, descriptors: int) -> None:
        """Move the driver's position on, past the end of the ring with the other wrap counter (2.8.1)."""
        self.next_avail += descriptors
        if self.next_avail >= self.size:
            self.next_avail -= self.size
            self.avail_wrap ^= 1

    def consume(self, buffers: int, descriptors: int) -> None:
        """Move on behind the used descriptors of so many buffers, which took so many (2.8.6)."""
        self.outstanding -= buffers
        self.next_used += descriptors
        if self.next_used >= self.size:
            self.next_used -= self.size
            self.used_wrap ^= 1

    def make_available(self, first: int, word: int, descriptors: int, buffers: int) -> None:
        """Store the flags of the first of so many descriptors, which makes all of them the device's (2.8.21.1)."""
        self.outstanding += buffers
        self._not_notified += descriptors
        if self._barrier is not None:
            self._barrier()  # all other descriptors, and what lies in the buffers, are there first
        self.descriptors[2 * first + 1] = word

    def next_value(self) -> int:
        """The driver's position with its wrap counter, as notifications and event structures hold it."""
        return self.next_avail | self.avail_wrap << _WRAP_SHIFT

    def notify(self) -> bool:
        """Notify, if the device wants that for what was exposed since the last decision (2.8.14, 2.8.21.3)."""
        exposed = self._not_notified
        if not exposed:
            return False
        self._not_notified = 0
        self._fence()
        event = self._device_event[0]
        flags = event >> 16 & _FLAGS_MASK
        if flags == spec.RING_EVENT_DESC and self.event_idx:
            wanted = self._behind(event & 0xFFFF) < exposed
        else:
            wanted = flags != spec.RING_EVENT_DISABLE
        if wanted:
            self.notifier(self.next_value())
        return wanted

    def _behind(self, event: int) -> int:
        """How many descriptors were written after the one that the device's event names.

        Positions repeat after two laps of the ring, one for each value of the wrap counter. One that lies ahead is
        counted as almost two laps behind.
        """
        lap = 0 if event >> _WRAP_SHIFT == self.avail_wrap else self.size
        return (self.next_avail - (event & _OFFSET) - 1 + lap) % (2 * self.size)

    def kick(self) -> None:
        """Notify whatever the device wants."""
        if self.held:
            self.guard("D4")
        self._not_notified = 0
        if self._barrier is not None:
            self._barrier()
        self.notifier(self.next_value())

    @property
    def ready(self) -> bool:
        """Whether used buffers wait, by one load."""
        flags = self.descriptors[2 * self.next_used + 1] >> FLAGS_SHIFT
        return self.outstanding > 0 and flags & USED_MASK == USED[self.used_wrap]

    def check_untouched(self, word: int, expected: int) -> None:
        """Where the next used descriptor does not say used: raise unless its flags are as the driver wrote them."""
        flags = word >> FLAGS_SHIFT
        if flags != expected:
            raise DeviceMisbehaved(
                f"{self.name}: descriptor {self.next_used} has flags {flags:#06x}; the driver wrote {expected:#06x} and a used "
                f"one has {USED[self.used_wrap]:#06x} in {USED_MASK:#06x}: it is neither available nor used (virtio 1.4, 2.8.1)",
                rule="flags",
            )

    def unflagged(self, length: int, capacity: int) -> int:
        """What a used length means that comes without VIRTQ_DESC_F_WRITE, for a buffer with so many writable bytes.

        Such a length is reserved (2.8.4), and nothing was written (2.8.3). But QEMU never sets the flag (7.2 to 11.1),
        and Linux never looks at it: where data may have been written, a length that is possible is taken at its word.
        """
        if not 0 < length <= capacity:
            return 0
        self.flagless = True
        return length

    def move_used_event(self) -> bool:
        """After reaping, move the used event along. Whether there may be more that no notification told of (2.8.14)."""
        if not (self.event_idx and self._interrupts):
            return False
        self._driver_event[_EVENT_DESC] = self.next_used | self.used_wrap << _WRAP_SHIFT
        self._driver_event[_EVENT_FLAGS] = spec.RING_EVENT_DESC
        self._fence()
        return True

    def interrupts(self, enabled: bool) -> bool:
        """Ask for used-buffer notifications, or for none (2.8.14). Returns whether used buffers already wait."""
        self._interrupts = enabled
        if not self.move_used_event():
            self._driver_event[_EVENT_FLAGS] = spec.RING_EVENT_ENABLE if enabled else spec.RING_EVENT_DISABLE
            self._fence()
        return self.ready

    def span(self, token: int, before: int) -> tuple[int, int]:
        """What a used descriptor with this id stands for, after ``before`` buffers were counted: (descriptors, buffers)."""
        raise NotImplementedError

    def device_position(self) -> int:
        """Where the device will write next, as its used descriptors show, with the wrap counter."""
        position, wrap, counted = self.next_used, self.used_wrap, 0
        while counted < self.outstanding:
            word = self.descriptors[2 * position + 1]
            descriptors, buffers = self.span(word >> ID_SHIFT & 0xFFFF, counted)
            if word >> FLAGS_SHIFT & USED_MASK != USED[wrap] or not buffers:
                break
            counted += buffers
            position += descriptors
            if position >= self.size:
                position -= self.size
                wrap ^= 1
        return position | wrap << _WRAP_SHIFT

    def state(self) -> QueueState:
        """Where both sides are, from RAM."""
        event = self._device_event[0]
        flags = {
            "driver_event.desc": self._driver_event[_EVENT_DESC],
            "driver_event.flags": self._driver_event[_EVENT_FLAGS],
            "device_event.desc": event & 0xFFFF,
            "device_event.flags": event >> 16,
        }
        suppressed = flags["device_event.flags"] == spec.RING_EVENT_DISABLE
        if flags["device_event.flags"] == spec.RING_EVENT_DESC:
            suppressed = flags["device_event.desc"] != self.next_value()
        return QueueState(
            index=self.index,
            format="packed",
            size=self.size,
            driver_index=self.next_value(),
            device_index=self.device_position(),
            seen=self.next_used | self.used_wrap << _WRAP_SHIFT,
            in_flight=self.outstanding,
            added=self.added,
            free=self.free,
            interrupts_suppressed=not self._interrupts,
            notifications_suppressed=suppressed,
            flags=flags,
            held=self.held,
        )

    def ring_bytes(self) -> bytes:
        """Descriptor ring, driver event structure, device event structure."""
        return b"".join(bytes(area.memory) for area in self._areas)
