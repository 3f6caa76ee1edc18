"""Each fence of the rings, and of what tells that they have moved, is needed: on a weakly ordered memory its absence shows.

TCG on x86 keeps the order of the machine that it runs on, so a guest shows none of this.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from uvirtio.access.interrupt import NoLine
from uvirtio.access.notifications import Notifications
from uvirtio.errors import DeviceMisbehaved

from .model import Buffer, PackedDevice, SplitDevice
from .rig import FORMATS, queue_of
from .weak import WeakMemory

SEEDS = range(400)
SIZE, PART, ROUNDS = 4, 8, 12
PLACES_OF_PARTS = 64

#: Where there has to be one: format and events -> the functions, by name, some of which are called through others.
PLACES = {
    "split": {"SplitRing.make_available", "SplitRing.notify", "SplitRing.pending", "SplitRing.move_used_event", "SplitRing.interrupts", "SplitRing.kick", "Notifications.collect"},
    "packed": {
        "PackedRing.make_available", "PackedRing.notify", "PackedQueue.reap", "PackedRing.move_used_event", "PackedRing.interrupts", "PackedRing.kick", "Notifications.collect",
    },
}  # fmt: skip


class Broken(AssertionError):
    """The order of things shows."""


class Machine:
    """A driver that moves buffers through one queue, and a device on another CPU that writes into each."""

    def __init__(self, format_: str, seed: int, *, event_idx: bool, pooled: bool, without: str = "") -> None:
        self.memory = memory = WeakMemory(seed)
        self.places: set[str] = set()
        self._without = without
        self.queue = queue_of(format_, SIZE, memory, event_idx=event_idx, fence=self._fence, barrier=self._fence)
        self.device: Any = (SplitDevice if format_ == "split" else PackedDevice)(
            memory, self.queue, event_idx=event_idx
        )
        self.queue.notifier = self._notified
        self.notifications = Notifications(self, NoLine(_Still(), "nobody waits"))  # type: ignore[arg-type]
        self.notifications._barrier = self._fence
        self.pooled = pooled
        self.event_idx = event_idx
        self.interrupts, self.isr = 0, 0
        self.held: list[Buffer] = []
        self.awake = True
        self.parts = {}
        memory.settle()
        memory.fence()
        memory.between = self._device

    def _fence(self) -> None:
        code = sys._getframe(1).f_code
        name = code.co_qualname
        if name == "QueueBase.barrier":
            name = sys._getframe(2).f_code.co_qualname
        self.places.add(name)
        if name != self._without:
            self.memory.fence()

    def __getitem__(self, _index: int) -> int:
        """ISR: the device's, and in order."""
        isr, self.isr = self.isr, 0
        return isr

    # -- the device --------------------------------------------------------------------------------------------

    def _notified(self, _following: int) -> None:
        self.awake = True

    def _device(self) -> None:
        """A step of it: finish a buffer, or look for more, or go to sleep once there are none."""
        if self.held and self.memory.random.random() < 0.6:
            self._use(self.held.pop(0))
        elif self.awake:
            self.device.wants_notifications(False)
            found = self.device.fetch()
            for buffer in found:
                if len(buffer.writable) != 1 or buffer.writable[0] not in self.parts:
                    raise Broken(f"the device found {buffer}, which nobody has described so")
            self.held += found
            if not found:
                self.device.wants_notifications(True)
                self.awake = bool(self.device.published())

    def _use(self, buffer: Buffer) -> None:
        ((address, _length),) = buffer.writable
        self.memory.store(address, 8, self.parts[address, PART])
        self.device.use(buffer, PART)
        if self.device.interrupt_due():
            self.isr |= 1
            self.interrupts += 1

    # -- the driver --------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Buffers through the queue, each looked at as it comes back."""
        try:
            (self._run_pool if self.pooled else self._run_single)()
        except DeviceMisbehaved as error:
            raise Broken(str(error)) from error

    def _run_single(self) -> None:
        block = self.memory.allocate(PART * PLACES_OF_PARTS)
        number = 0
        for _ in range(ROUNDS):
            tokens = {}
            for _each in range(self.memory.random.randint(1, SIZE)):
                # Another place each time: what is left of an older one leads nowhere.
                part, number = block.part(PART * (number % PLACES_OF_PARTS), PART), number + 1
                self.parts[part.address, PART] = number
                tokens[self.queue.add((), (part,))] = (part, number)
            self._publish(self.queue.publish)
            while tokens:
                for token, length in self._some(self.queue.completed):
                    part, expected = tokens.pop(token)
                    del self.parts[part.address, PART]
                    self._compare(part.memory, length, expected)

    def _run_pool(self) -> None:
        pool = self.queue.pool(SIZE, (), (PART,))
        number = 0
        for _ in range(ROUNDS):
            count = self.memory.random.randint(1, SIZE)
            numbers = {}
            for each in pool.upcoming(count):
                number += 1
                self.parts[pool.address(0, each), PART] = numbers[each] = number
            self._publish(partial(pool.publish, count))
            while numbers:
                for at in range(len(self._some(lambda: [None] * pool.reap()))):
                    each = pool.numbers[at]
                    self._compare(pool.views[0][each], pool.lengths[at], numbers.pop(each))

    def _publish(self, publish: Callable[[bool], bool]) -> None:
        """As the device wants to be told, or whatever it wants."""
        if self.memory.random.random() < 0.6:
            publish(True)
        else:
            publish(False)
            self.queue.kick()

    @staticmethod
    def _compare(memory: Any, length: int, expected: int) -> None:
        found = memory.cast("Q")[0]
        if (found, length) != (expected, PART):
            raise Broken(f"a buffer has {found}, and the device wrote {expected} before it gave it back")

    def _some(self, reap: Callable[[], list[Any]]) -> list[Any]:
        """Buffers that came back, waiting for interrupts as somebody who sleeps does."""
        quiet = self.memory.random.random() < 0.4
        if quiet:
            self.queue.interrupts(False)
        for _ in range(200):
            seen = self.interrupts
            if done := reap():
                if quiet:
                    self.queue.interrupts(True)
                return done
            if quiet and self.queue.interrupts(True):
                continue
            quiet = False
            for _ in range(400):
                if self.interrupts != seen or self.isr:
                    break
                self.memory.settle()  # nothing keeps a store for ever
                self._device()
            else:
                raise Broken("the device sleeps, nobody is told, and buffers are under way")
            self.notifications.collect()
        raise Broken("interrupts come, and buffers do not")


class _Still:
    """A clock that nobody looks at."""


KINDS = [(format_, event_idx, pooled) for format_ in FORMATS for event_idx in (False, True) for pooled in (False, True)]


def machine(kind: tuple[str, bool, bool], seed: int, without: str = "") -> Machine:
    format_, event_idx, pooled = kind
    return Machine(format_, seed, event_idx=event_idx, pooled=pooled, without=without)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_with_all_fences_nothing_shows(kind: tuple[str, bool, bool]) -> None:
    for seed in SEEDS[:60]:
        machine(kind, seed).run()


def _places() -> list[tuple[str, str]]:
    names = {(format_, name) for format_, names in PLACES.items() for name in names}
    return sorted(names | {("packed", "PackedPool._waiting")})


@pytest.mark.parametrize(("format_", "place"), _places(), ids=lambda each: str(each))
def test_without_one_of_them_it_shows(format_: str, place: str) -> None:
    for seed in SEEDS:
        for kind in KINDS:
            if kind[0] == format_:
                try:
                    machine(kind, seed, place).run()
                except AssertionError:
                    return
    pytest.fail(f"nothing shows without the fence of {place}")


def test_these_are_all_of_them() -> None:
    places = set()
    for kind in KINDS:
        one = machine(kind, 1)
        one.run()
        one.queue.release_pool() if one.pooled else None
        places |= {(kind[0], name) for name in one.places}
    assert places == set(_places())
