"""What split and packed queues have in common: who notifies, who listens, and the guard while suspended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..access.dma import Dma, DmaMemory
from ..access.fence import ordering_fence, store_load_fence
from ..errors import DeviceMisbehaved, DriverMisuse, QueueFull, SuspendedError
from ..spec.features import Features

__all__ = ["CHAIN_LIMIT", "OwningPool", "QueueBase", "check_parts"]

#: Most bytes that a buffer may have: 2^32 (virtio 1.4, 2.7.5.2), less one, so that every length fits its le32.
CHAIN_LIMIT = (1 << 32) - 1

_DUTIES = {
    "D3": "no buffers may be made available",
    "D4": "the device may not be notified",
}


def check_parts(readable: Sequence[Dma], writable: Sequence[Dma], longest: int, where: str) -> None:
    """Explain what is wrong with a buffer that no ring of ``longest`` descriptors may describe, by raising."""
    sizes = [part.size for part in readable] + [part.size for part in writable]
    if not sizes:
        raise DriverMisuse(f"{where}: a buffer has at least one part (virtio 1.4, 2.7.13.1)")
    if len(sizes) > longest:
        raise DriverMisuse(
            f"{where}: a buffer of {len(sizes)} parts is longer than the queue size {longest} (virtio 1.4, 2.7.5.3.1)"
        )
    if 0 in sizes:
        raise DriverMisuse(f"{where}: a part of a buffer is empty; leave it out")
    if (total := sum(sizes)) > CHAIN_LIMIT:
        raise DriverMisuse(f"{where}: a buffer of {total:#x} bytes; it must be shorter than 2^32 (virtio 1.4, 2.7.5.2)")


#: What a queue goes by to which no feature was negotiated.
NOTHING = Features()


class OwningPool(Protocol):
    """What a queue asks of the pool that all its descriptors belong to."""

    #: Memory of each part of each buffer: ``views[part][number]``.
    views: list[list[memoryview]]

    def completed(self) -> list[tuple[int, int]]:
        """What the device has used: (number, bytes written), in the device's order."""

    def tokens(self) -> list[int]:
        """Numbers of the buffers in flight, in the order of publishing."""

    def remaining(self) -> list[int]:
        """All numbers, those that would be published next first. Only with nothing in flight."""

    def restart(self) -> None:
        """All buffers are free, in ring memory that was zeroed."""

    def free_memory(self) -> None:
        """Give the memory back."""


class QueueBase:
    """Index, size, notifier, the guard that keeps D3 and D4 while the queue is held, and what goes for either format."""

    #: Buffers by token, added and published: what is needed to free them.
    _added: dict[int, Any]
    _chains: dict[int, Any]

    # Slots: an object with more than thirty attributes loses the interpreter's fast attribute access otherwise.
    __slots__ = (
        "_added",
        "_barrier",
        "_chains",
        "_dma",
        "_fence",
        "_owned",
        "_pool",
        "_tables",
        "allow",
        "event_idx",
        "held",
        "in_order",
        "index",
        "indirect",
        "lenient",
        "notifier",
        "outstanding",
        "size",
    )

    def __init__(
        self,
        index: int,
        size: int,
        dma: DmaMemory,
        fence: Callable[[], object] | None,
        barrier: Callable[[], object] | None,
    ) -> None:
        self._dma = dma
        #: Ring memory, and the indirect tables by token.
        self._owned: list[Dma] = []
        self._tables: dict[int, Dma] = {}
        self.index = index
        self.size = size
        self.notifier: Callable[[int], None] = self._no_notifier
        self.allow: set[str] = set()
        #: Buffers that are published and not yet reaped.
        self.outstanding = 0
        #: Why nothing may be published now; empty when it may.
        self.held = ""
        #: Whether lengths that are too long are cut instead of refused.
        self.lenient = False
        self.in_order = False
        self.indirect = False
        self.event_idx = False
        self._pool: OwningPool | None = None
        self._fence = fence if fence is not None else store_load_fence()
        #: Keeps stores in order and loads in order, where the CPU does not.
        self._barrier = barrier if barrier is not None else ordering_fence()

    def barrier(self) -> None:
        """Keep what was read and written before what will be, where the CPU does not by itself."""
        if self._barrier is not None:
            self._barrier()

    def hold(self, reason: str) -> None:
        """Refuse :meth:`add`, :meth:`publish` and :meth:`kick` from now on, giving this reason."""
        self.held = reason or "the device is suspended"

    def unhold(self) -> None:
        """Allow them again."""
        self.held = ""

    @property
    def free(self) -> int:
        """Descriptors that are free."""
        raise NotImplementedError

    @property
    def added(self) -> int:
        """Buffers that were added and wait for a publish."""
        return len(self._added)

    def cut_lengths(self) -> None:
        """Cut used lengths that are too long instead of refusing them."""
        self.lenient = True

    def guard(self, *duties: str) -> None:
        """While held, raise for the first of these duties that no deviation lifts."""
        for duty in duties:
            if duty not in self.allow:
                raise SuspendedError(f"{self.name}: {self.held}: {_DUTIES[duty]} until it is resumed ({duty})")

    @property
    def name(self) -> str:
        """The queue, as messages call it."""
        return f"queue {self.index}"

    def _no_notifier(self, _following: int) -> None:
        raise DriverMisuse(f"{self.name} has no notifier yet: set it from the transport before publishing")

    def completed(self) -> list[tuple[int, int]]:
        """Reap what the device has used. See :meth:`uvirtio.queue.Queue.completed`."""
        if self._pool is not None:
            return self._pool.completed()
        done: list[tuple[int, int]] = []
        try:
            while self.reap(done):
                self.move_used_event()
                if not self.outstanding:
                    break
        except DeviceMisbehaved:
            # The good ones before it first; the error comes again with the next call.
            if not done:
                raise
        return done

    def reap(self, done: list[tuple[int, int]]) -> bool:
        """Check and release what is used now, each with its id and length to ``done``; whether there was any."""
        raise NotImplementedError

    def notify(self) -> bool:
        """Notify, if the device wants that for what was exposed since the last decision."""
        raise NotImplementedError

    def move_used_event(self) -> bool:
        """After reaping, move the used event along; whether more may have come that no notification told of."""
        raise NotImplementedError

    def consume(self, buffers: int, descriptors: int) -> None:
        """Move on behind so many used buffers, which took so many descriptors."""
        raise NotImplementedError

    def tokens(self) -> list[int]:
        """Tokens of the buffers in flight, oldest publish first."""
        return self._pool.tokens() if self._pool is not None else list(self._chains)

    def release_pool(self) -> None:
        """Give the descriptors of the pool back to single buffers."""
        self._pool = None
        self._forget()

    def reset(self) -> list[int]:
        """Start over after a reset of the device or of this queue. Returns the tokens that were in flight."""
        lost = [*self.tokens(), *self._added]
        self.restart()
        self._forget()
        if self._pool is not None:
            self._take_all()
            self._pool.restart()
        return lost

    def close(self) -> None:
        """Give all memory back. What stands in the ring can still be seen: a device must not touch it any more."""
        for area in self._owned:
            area.free()
        if self._pool is not None:
            self._pool.free_memory()
        for table in self._tables.values():
            table.free()
        self._tables = {}

    def restart(self) -> None:
        """Zero the ring: that of a queue that was never used."""
        raise NotImplementedError

    def _forget(self) -> None:
        """All descriptors are free and nothing is in flight."""
        raise NotImplementedError

    def _take_all(self) -> None:
        """No descriptor is free for a single buffer: all are the pool's."""
        raise NotImplementedError

    def check_pool(self, count: int, parts: int) -> None:
        """Raise where a pool of so many buffers of so many parts cannot be had now."""
        descriptors = 1 if self.indirect else parts
        if self._pool is not None or self.outstanding or self.added:
            raise DriverMisuse(
                f"{self.name}: a pool takes the whole queue, and it is in use; reap or close what is there"
            )
        if count < 1 or not 1 <= parts <= self.size or count * descriptors > self.size:
            raise DriverMisuse(
                f"{self.name}: {count} buffers of {parts} parts take {count * descriptors} descriptors; there are {self.size}"
            )

    def full(self, needed: int, free: int) -> QueueFull:
        """The error of a buffer that has no room."""
        if self._pool is not None:
            return QueueFull(f"{self.name}: all descriptors belong to a pool; close it before adding single buffers")
        return QueueFull(f"{self.name}: {needed} descriptors are needed and {free} of {self.size} are free; reap first")

    def not_in_flight(self, token: int, where: str, in_flight: int) -> DeviceMisbehaved:
        """The error of an id that no buffer in flight has."""
        if token >= self.size:
            return DeviceMisbehaved(
                f"{self.name}: {where} says id {token:#x}; ids of this queue are below its size {self.size}",
                rule="used id",
            )
        return DeviceMisbehaved(
            f"{self.name}: {where} says id {token}, which is not in flight "
            f"({in_flight} other buffers are): it was never published, or was used before",
            rule="used id",
        )

    def too_long(self, token: int, length: int, writable: int) -> DeviceMisbehaved:
        """The error of a length beyond the writable bytes."""
        return DeviceMisbehaved(
            f"{self.name}: the device says that it wrote {length} bytes into buffer {token}, "
            f"which has {writable} writable bytes",
            rule="used length",
        )

    def out_of_order(self, token: int, turns: Sequence[int]) -> DeviceMisbehaved:
        """The error of a device that promised to keep the order and did not."""
        return DeviceMisbehaved(
            f"{self.name}: the device says id {token}, but IN_ORDER was negotiated and the buffers whose turn it is are "
            f"{', '.join(map(str, turns[:4]))} (virtio 1.4, 2.7.9 and 2.8.8)",
            rule="order",
        )

    def overwritten(self, descriptor: int, token: int) -> DeviceMisbehaved:
        """The error of a descriptor that the device has written to."""
        return DeviceMisbehaved(
            f"{self.name}: descriptor {descriptor} of buffer {token} is not what the driver wrote; "
            "a device must not write to the descriptor table (virtio 1.4, 2.7.5.1)",
            rule="descriptor",
        )
