"""A queue of either format with a device model behind it, and a reference that counts without wrapping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from uvirtio.access.dma import Dma
from uvirtio.access.trace import Recorder
from uvirtio.errors import QueueFull
from uvirtio.queue.observed import ObservedPackedQueue, ObservedSplitQueue
from uvirtio.queue.packed import PackedQueue
from uvirtio.queue.split import SplitQueue
from uvirtio.spec.features import Feature, Features

from .model import Buffer, Memory, PackedDevice, SplitDevice

FORMATS = ("split", "packed")
#: Bytes of each part of a buffer; all different, so that exchanged parts show.
PART = 32
#: Parts are cut from one block in turn; there are more slots than parts can be in flight.
SLOT, SLOTS = 128, 256


_BITS = {"event_idx": Feature.EVENT_IDX, "indirect": Feature.INDIRECT_DESC, "in_order": Feature.IN_ORDER}


def queue_of(format_: str, size: int, memory: Memory, recorder: Recorder | None = None, **options: Any) -> Any:
    """A queue with the features that are named by their parts of a bit's name; other options are the queue's own."""
    accepted = Features.of(*(bit for name, bit in _BITS.items() if options.pop(name, False)))
    if recorder is None:
        return (SplitQueue if format_ == "split" else PackedQueue)(0, size, memory, accepted, **options)
    queue = (ObservedSplitQueue if format_ == "split" else ObservedPackedQueue)(0, size, memory, accepted, **options)
    queue.watch(recorder)
    return queue


@dataclass
class Rig:
    """Drives one queue by operations and holds every step against the reference."""

    format: str
    size: int
    event_idx: bool = False
    indirect: bool = False
    in_order: bool = False
    memory: Memory = field(default_factory=Memory)
    #: Makes another device than the model: (rig, queue) -> an object with the model's methods.
    maker: Callable[[Rig, Any], Any] | None = None
    #: Watches the queue.
    recorder: Recorder | None = None

    def __post_init__(self) -> None:
        self.queue = queue_of(
            self.format,
            self.size,
            self.memory,
            self.recorder,
            event_idx=self.event_idx,
            indirect=self.indirect,
            in_order=self.in_order,
        )
        model = SplitDevice if self.format == "split" else PackedDevice
        self.device: Any = (
            self.maker(self, self.queue)
            if self.maker
            else model(self.memory, self.queue, event_idx=self.event_idx, in_order=self.in_order)
        )
        self.notified: list[int] = []
        self.queue.notifier = self.notified.append
        self.number = 0
        self._block = self.memory.allocate(SLOT * SLOTS)
        self._slot = 0
        self.added: list[tuple[int, list[Dma], list[Dma]]] = []  # (number, readable, writable)
        self.names: dict[int, int] = {}  # token -> number, for all that is not reaped
        self.held: list[tuple[int, Buffer]] = []  # fetched by the device
        self.done: list[tuple[int, int]] = []  # used by the device: (number, length), in order
        # Absolute counts: entries of the available ring for split, descriptors for packed.
        self.exposed = self.announced = 0
        self.event: int | None = None if not self.event_idx else 0
        self.quiet = False
        self.listening = True
        self.log: list[Any] = []
        if self.event_idx and self.format == "packed":
            self.event = None  # zeroed event structures mean "always" in a packed ring

    def _part(self, size: int) -> Dma:
        self._slot = (self._slot + 1) % SLOTS
        return self._block.part(SLOT * self._slot, size)

    # Operations: each returns nothing and appends what a user of the queue sees to the log.

    def add(self, readable: int, writable: int) -> None:
        number = self.number
        readable_parts = [self._part(PART + number % 7 + i) for i in range(readable)]
        writable_parts = [self._part(2 * PART + number % 5 + i) for i in range(writable)]
        needed = 1 if self.indirect else readable + writable
        free = self.queue.free
        try:
            token = self.queue.add(readable_parts, writable_parts)
        except QueueFull:
            assert needed > free
            assert self.queue.free == free
            self.log.append("full")
            return
        assert needed <= free
        assert self.queue.free == free - needed
        assert token not in self.names
        self.names[token] = number
        self.added.append((number, readable_parts, writable_parts))
        self.number += 1

    def publish(self, notify: bool = True) -> None:
        exposing = sum(
            1 if self.format == "split" or self.indirect else len(readable) + len(writable)
            for _, readable, writable in self.added
        )
        self.exposed += exposing
        before = len(self.notified)
        notified = self.queue.publish(notify)
        assert len(self.notified) - before == notified
        if notify:
            assert notified == self._wanted()
            self.announced = self.exposed
        else:
            assert not notified
        if notified:
            assert self.notified[-1] == self._next_value()
        self.log.append(notified)
        self._fetch()

    def _wanted(self) -> bool:
        if self.announced == self.exposed or self.quiet:
            return False
        if self.event is None:
            return True
        period = 65536 if self.format == "split" else 2 * self.size
        return any((position - self.event) % period == 0 for position in range(self.announced, self.exposed))

    def _next_value(self) -> int:
        if self.format == "split":
            return self.exposed & 0xFFFF
        laps, offset = divmod(self.exposed, self.size)
        return offset | (laps + 1) % 2 << 15

    def _fetch(self) -> None:
        """The device takes what was published; it has to find exactly that."""
        found = self.device.fetch()
        assert len(found) == len(self.added)
        for buffer, (number, readable, writable) in zip(found, self.added, strict=True):
            assert buffer.readable == [(part.address, part.size) for part in readable]
            assert buffer.writable == [(part.address, part.size) for part in writable]
            assert self.names[buffer.id] == number
            self.held.append((number, buffer))
        self.added.clear()
        if found and self.event_idx and getattr(self.device, "asks_for_the_next", False):
            self.event = self.exposed

    def use(self, which: int, part: int) -> None:
        """The device uses one of the buffers that it has: any, or with IN_ORDER the oldest or a batch up to one."""
        if not self.held:
            return
        which %= len(self.held)
        caught_up = not self.done
        if self.in_order:
            batch, self.held = self.held[: which + 1], self.held[which + 1 :]
        else:
            batch = [self.held.pop(which)]
        length = batch[-1][1].room * part // 4
        self.done += [(number, buffer.room) for number, buffer in batch[:-1]] + [(batch[-1][0], length)]
        if len(batch) > 1:
            self.device.use_batch([buffer for _, buffer in batch], length)
        else:
            self.device.use(batch[0][1], length)
        due = self.device.interrupt_due()
        if not self.listening:
            assert not due, "an interrupt although the driver asked for none"
        elif caught_up:
            assert due, "no interrupt for the first buffer after the driver had reaped everything"

    def reap(self) -> None:
        reaped = [(self.names.pop(token), length) for token, length in self.queue.completed()]
        assert reaped == self.done
        self.done = []
        self.log.append(reaped)

    def listen(self, enabled: bool) -> None:
        """The driver wants interrupts, or none."""
        self.listening = enabled
        assert self.queue.interrupts(enabled) == bool(self.done)
        if self.done:
            # What the driver does when it is told that buffers wait: reap before it sleeps.
            self.reap()

    def want(self, wanted: bool, ahead: int) -> None:
        """The device wants notifications, or none."""
        self.device.wants_notifications(wanted, ahead)
        if not self.event_idx:
            self.quiet = not wanted
        elif self.format == "packed":
            self.quiet, self.event = not wanted, self.exposed + ahead
        else:
            self.event = self.exposed + (ahead if wanted else -1)

    def check(self) -> None:
        """What holds between operations."""
        assert self.queue.outstanding == len(self.held) + len(self.done)
        assert self.queue.added == len(self.added)
        assert sorted(self.queue.tokens()) == sorted(
            token for token, number in self.names.items() if number not in {added[0] for added in self.added}
        )
        state = self.queue.state()
        assert state.in_flight == self.queue.outstanding
        assert state.driver_index == self._position_of_driver()
        used = sum(1 for _ in self.done)
        assert (state.device_index != state.seen) == bool(used)

    def _position_of_driver(self) -> int:
        exposed = self.exposed
        if self.format == "packed":
            exposed += sum(
                1 if self.indirect else len(readable) + len(writable) for _, readable, writable in self.added
            )
            laps, offset = divmod(exposed, self.size)
            return offset | (laps + 1) % 2 << 15
        return exposed & 0xFFFF

    def finish(self) -> None:
        """Everything that went in comes out once, and the ring is as free as at the start."""
        self.publish()
        while self.held:
            self.use(0, 4)
        self.reap()
        assert self.names == {}
        assert self.queue.free == self.size
        assert self.queue.outstanding == 0
        assert self.queue.completed() == []

    def run(self, operations: list[tuple[Any, ...]]) -> list[Any]:
        for name, *arguments in operations:
            getattr(self, name)(*arguments)
            self.check()
        self.finish()
        return self.log
