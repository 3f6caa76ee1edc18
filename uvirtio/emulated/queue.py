"""One virtqueue of the device: its registers, its ring, and the requests that are in process.

A request is *consumed* when its buffer is taken from the ring and *completed* when it is given back, ``latency``
seconds later; in between it is in process. At most ``depth`` requests of a queue are in process at once, the others
stay in the ring untouched. Queues for receiving, events and statistics hold buffers that may wait for ever: those
are taken only when there is something to put into them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Protocol

from ..spec import packed as packed_ring
from ..spec import split
from ..spec.features import Feature
from ..spec.registers import NO_VECTOR
from .memory import DriverFault, GuestMemory
from .ring import Chain, Ring
from .ring_packed import PackedRing
from .ring_split import SplitRing
from .seams import DeviceAround

__all__ = ["DeviceQueue", "QueueDevice", "Request"]


class _Event(Protocol):
    def cancel(self) -> None: ...


class Request:
    """A buffer that was consumed and is not used yet; it is ``ready`` at the time ``due`` and then waits for its turn."""

    __slots__ = ("chain", "due", "event", "ready")

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.event: _Event | None = None
        self.due = 0.0
        self.ready = False


class _Model(Protocol):
    """What a queue needs of the model of its device's type."""

    def has_room(self, queue: DeviceQueue) -> bool:
        """Whether what the next request of this queue brings has a place."""

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        """Carry out a request and return the bytes written to its writable part."""

    def serve(self, queue: DeviceQueue) -> None:
        """Put waiting data into the buffers of a waiting queue."""


class _Behaviour(Protocol):
    """What a queue asks, and tells, its device's behaviour."""

    def may_consume(self) -> bool:
        """Whether buffers may be taken from a queue."""

    def may_use(self) -> bool:
        """Whether requests in process may be completed."""

    def queue_enabled(self, queue: DeviceQueue) -> None:
        """The driver enabled a queue."""

    def progress(self) -> None:
        """Requests were completed: go on with a suspend or a resume as far as possible now."""


class QueueDevice(DeviceAround, Protocol):
    """What a queue sees of the device that it belongs to."""

    memory: GuestMemory
    #: Seconds that requests stay in process, and how many of a queue do at once.
    latency: float
    depth: int
    #: What makes a ring of either format.
    split_ring: type[SplitRing]
    packed_ring: type[PackedRing]

    @property
    def model(self) -> _Model:
        """What carries requests out."""

    @property
    def behaviour(self) -> _Behaviour:
        """What says whether the queue may go on."""

    def notify_queue(self, queue: DeviceQueue) -> None:
        """Send a used buffer notification, now or when it is allowed again."""


class DeviceQueue:
    """Queue ``index`` with at most ``maximum`` descriptors; ``waits`` says that its buffers wait for data."""

    #: What is saved of it, beside its ring and what is in process.
    STATE = ("size", "vector", "addresses", "enabled", "waits")

    def __init__(self, device: QueueDevice, index: int, maximum: int, *, waits: bool) -> None:
        self.device = device
        self.index = index
        self.maximum = maximum
        self.waits = waits
        self.in_process: list[Request] = []
        self.ring: Ring | None = None
        #: A buffer that was taken and not needed.
        self.kept: Chain | None = None
        self._again: _Event | None = None
        self._clear()

    def _clear(self) -> None:
        self.size = self.maximum
        self.vector = NO_VECTOR
        self.addresses = [0, 0, 0]  # descriptor, driver and device area
        self.enabled = False

    def reset(self) -> None:
        """Back to the state after a device reset (or a queue reset): nothing consumed will be completed."""
        self.drop()
        self.ring = None
        self._clear()

    def drop(self) -> None:
        """Forget the requests in process."""
        for request in self.in_process:
            if request.event is not None:
                request.event.cancel()
        self.in_process.clear()
        self.kept = None
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def misplaced(self) -> str:
        """What is wrong with the alignment of the areas (2.7, 2.8.10.1), empty when nothing is."""
        packed = self.device.negotiated(Feature.RING_PACKED)
        aligns = (
            (packed_ring.DESC_ALIGN, packed_ring.EVENT_ALIGN, packed_ring.EVENT_ALIGN)
            if packed
            else (split.DESC_ALIGN, split.AVAIL_ALIGN, split.USED_ALIGN)
        )
        for name, address, align in zip(("descriptor", "driver", "device"), self.addresses, aligns, strict=True):
            if address % align:
                return f"the {name} area at {address:#x} is not aligned to {align} bytes"
        return ""

    def enable(self) -> None:
        """Start using the ring at the addresses that the driver gave."""
        device = self.device
        self.ring = self.make_ring()
        self.enabled = True
        device.log.event("queue enabled", f"queue {self.index}, {self.size} entries")
        device.behaviour.queue_enabled(self)

    def make_ring(self) -> Ring:
        """A ring that was never used, at these addresses and in the format that was negotiated."""
        device = self.device
        event_idx = device.negotiated(Feature.EVENT_IDX)
        indirect = device.negotiated(Feature.INDIRECT_DESC)
        ring = device.packed_ring if device.negotiated(Feature.RING_PACKED) else device.split_ring
        return ring(device.memory, self.size, *self.addresses, event_idx=event_idx, indirect=indirect)

    def resume(self, chain: Chain, left: float, *, ready: bool) -> None:
        """A buffer that was consumed before the device was saved: it is in process for ``left`` more seconds."""
        request = Request(chain)
        request.ready = ready
        request.due = self.device.clock.now() + left
        if not ready:
            request.event = self.device.clock.call_at(request.due, self._due)
        self.in_process.append(request)

    @property
    def goes_on(self) -> bool:
        """Whether :meth:`later` was called, and later has not come."""
        return self._again is not None

    def _pop(self) -> Chain | None:
        if not self.enabled or self.ring is None or not self.device.behaviour.may_consume():
            return None
        if self.kept is not None:
            kept, self.kept = self.kept, None
            return kept
        chain = self.ring.pop()
        if chain is not None:
            self.device.log.event("request consumed", f"queue {self.index}, buffer {chain.id}")
        return chain

    def service(self) -> None:
        """Look at the ring and begin what may be begun."""
        if self.waits:
            self.device.model.serve(self)
            return
        device = self.device
        begun = 0
        while len(self.in_process) < device.depth or not device.latency:
            if begun == self.size or device.clock.turn_over():
                # More than a ring holds, or than there is time for: whatever the driver plays at, it holds nobody up.
                self.later()
                return
            begun += 1
            if not device.model.has_room(self) or (chain := self._pop()) is None:
                return
            request = Request(chain)
            self.in_process.append(request)
            if device.latency:
                request.due = device.clock.now() + device.latency
                request.event = device.clock.call_at(request.due, self._due)
            else:
                request.ready = True
                self._complete_ready()

    def later(self) -> None:
        """Go on when the others have had their turn."""
        if self._again is None:
            self._again = self.device.clock.call_at(self.device.clock.now(), self._go_on)

    def _go_on(self) -> None:
        self._again = None
        self._due()

    def _due(self) -> None:
        now = self.device.clock.now()
        for request in self.in_process:
            request.ready = request.ready or request.due <= now
        with self.device.guarded():
            self._complete_ready()
            self.service()
            self.device.behaviour.progress()

    def _complete_ready(self) -> None:
        """Complete what is ready; where IN_ORDER was negotiated in the order of arrival, and as a batch."""
        device = self.device
        in_order = device.negotiated(Feature.IN_ORDER)
        ready = [request for request in self.in_process if request.ready]
        if in_order:
            ready = list(takewhile(lambda request: request.ready, self.in_process))
        skipped: list[Chain] = []
        for request in ready:
            if not device.behaviour.may_use():
                return
            self.in_process.remove(request)
            written = device.model.request(self, request.chain)
            over = device.clock.turn_over()
            # Only buffers that were used completely may go without a used entry of their own (2.7.9, 2.8.8).
            last = over or request is ready[-1]
            if in_order and not last and written == request.chain.writable_size:
                skipped.append(request.chain)
            else:
                self.finish(request.chain, written, skipped)
                skipped = []
            if over:
                self.later()
                return

    def thaw(self) -> None:
        """Complete what became ready while the device was not allowed to use it."""
        self._complete_ready()

    def check_notification(self, following: int) -> None:
        """Hold the extra data of a notification against what is in the ring (2.9): a driver may not be ahead of it."""
        if self.ring is not None and not self.ring.plausible(following):
            self.device.log.fault("notify", "queue_notify", f"next is {following:#x}, which the ring does not bear out")

    def take(self) -> Chain | None:
        """A buffer for data that has just come in, None when there is none or the device is not running.

        None as well when the turn is over: the queue is served again in another.
        """
        if self.waits and self.device.clock.turn_over():
            self.later()
            return None
        return self._pop() if self.waits else None

    def keep(self, chain: Chain) -> None:
        """A buffer that was just taken holds nothing: it is the one that is taken next."""
        self.kept = chain

    def finish(self, chain: Chain, written: int, skipped: Sequence[Chain] = ()) -> None:
        """Give a buffer back, with those ``skipped`` before it, and tell the driver, if it wants to be told."""
        if self.ring is None:
            raise DriverFault(f"queue {self.index} was reset while one of its buffers was in use")
        self.ring.push(chain, written, skipped)
        for done in (*skipped, chain):
            size = written if done is chain else done.writable_size
            self.device.log.event("request completed", f"queue {self.index}, buffer {done.id}, {size} bytes written")
        if self.ring.wants_interrupt():
            self.device.notify_queue(self)
