"""Each fence of the emulated device's rings is needed where `serve` runs on a CPU that keeps nothing in order."""

from __future__ import annotations

import sys

import pytest

from uvirtio.emulated.memory import DriverFault
from uvirtio.emulated.ring import Areas, Chain
from uvirtio.emulated.ring_packed import PackedRing
from uvirtio.emulated.ring_split import SplitRing
from uvirtio.errors import DeviceMisbehaved

from .rig import FORMATS, queue_of
from .weak import WeakGuest, WeakMemory

SEEDS = range(400)
SIZE, PART, ROUNDS, PLACES_OF_PARTS = 4, 8, 12, 64

#: format, function, and which of its fences, with events by index and without.
PLACES = [
    ("split", "SplitRing.pop", 0), ("split", "SplitRing.pop", 1), ("split", "SplitRing.push", 0),
    ("split", "SplitRing.wants_interrupt", 0),
    ("packed", "PackedRing.pop", 0), ("packed", "PackedRing.pop", 1), ("packed", "PackedRing.push", 0),
    ("packed", "PackedRing.wants_interrupt", 0),
]  # fmt: skip


class Machine:
    """A driver that is in order, and a device that is not."""

    def __init__(self, format_: str, seed: int, *, event_idx: bool, without: tuple[str, int] | None = None) -> None:
        self.memory = memory = WeakMemory(seed, weak_device=True)
        self.places: dict[str, list[int]] = {}
        self.queue = queue_of(format_, SIZE, memory, event_idx=event_idx, fence=lambda: None)
        self.queue.notifier = self._notified
        memory.allocate(1)
        self.ring: Areas = (SplitRing if format_ == "split" else PackedRing)(
            WeakGuest(memory), SIZE, self.queue.descriptor_address, self.queue.driver_address, self.queue.device_address,
            event_idx=event_idx, indirect=False,
        )  # fmt: skip
        self.ring._order = self._order
        self._without = without
        self.awake, self.bell, self.due = True, False, False
        self.held: list[Chain] = []
        self.parts: dict[int, int] = {}
        self.block = memory.allocate(PART * PLACES_OF_PARTS)
        self.number, self.under_way = 0, {}
        memory.fence()
        memory.between = self._drive

    def _order(self) -> None:
        frame = sys._getframe(2)
        name, line = frame.f_code.co_qualname, frame.f_lineno
        lines = self.places.setdefault(name, [])
        if line not in lines:
            lines.append(line)
            lines.sort()
        if self._without is None or name != self._without[0] or _lines(name)[self._without[1]] != line:
            self.memory.fence()

    # -- the driver: a step at any time ------------------------------------------------------------------------

    def _notified(self, _following: int) -> None:
        self.bell = True

    def _drive(self) -> None:
        if self.memory.random.random() < 0.5 and self.number < ROUNDS * SIZE:
            if self.queue.free:
                part = self.block.part(PART * (self.number % PLACES_OF_PARTS), PART)
                self.number += 1
                self.parts[part.address] = self.number
                self.under_way[self.queue.add((), (part,))] = part
            self.queue.publish()
        elif self.due:
            self.due = False
            self._take()

    def _take(self) -> None:
        for token, length in self.queue.completed():
            part = self.under_way.pop(token)
            expected = self.parts.pop(part.address)
            found = part.memory.cast("Q")[0]
            assert (found, length) == (expected, PART), f"a buffer has {found}, and the device wrote {expected}"

    # -- the device --------------------------------------------------------------------------------------------

    def _step(self) -> bool:
        """Whether there was something to do."""
        if self.bell:
            self.bell = False
            self.memory.fence()  # a notification comes by a system call
            self.awake = True
        if self.awake:
            chain = self.ring.pop()  # type: ignore[attr-defined]
            if chain is None:
                self.awake = False
            else:
                assert chain.writable
                assert chain.writable[0] == (chain.writable[0][0], PART)
                assert chain.writable[0][0] in self.parts, "a buffer that nobody has described so"
                self.held.append(chain)
            return True
        if self.held:
            chain = self.held.pop(0)
            chain.write(self.parts[chain.writable[0][0]].to_bytes(PART, "little"))
            self.ring.push(chain, PART)  # type: ignore[attr-defined]
            if self.ring.wants_interrupt():  # type: ignore[attr-defined]
                self.memory.fence()  # an interrupt is sent by a system call
                self.due = True
            return True
        return False

    def run(self) -> None:
        """Everything through the queue; whoever waits for ever has not been told."""
        try:
            idle = 0
            while idle < 40:
                idle = 0 if self._step() or self.due or self.bell else idle + 1
                self.memory.tick()
                if idle:
                    self.memory.settle()  # nothing keeps a store for ever
            assert not self.under_way, "nobody is told, and buffers are under way"
        except (DriverFault, DeviceMisbehaved) as error:
            raise AssertionError(str(error)) from error


def _lines(name: str) -> list[int]:
    """The lines of a function's fences, in its order."""
    return LINES[name]


def _found() -> dict[str, list[int]]:
    """All of them, as they are met."""
    found: dict[str, list[int]] = {}
    for format_ in FORMATS:
        for event_idx in (False, True):
            for seed in range(4):
                machine = Machine(format_, seed, event_idx=event_idx)
                machine.run()
                for name, lines in machine.places.items():
                    found[name] = sorted({*found.get(name, []), *lines})
    return found


LINES = _found()


def test_these_are_all_of_them() -> None:
    assert {(name, number) for name, lines in LINES.items() for number in range(len(lines))} == {
        place[1:] for place in PLACES
    }


@pytest.mark.parametrize("event_idx", [False, True])
@pytest.mark.parametrize("format_", FORMATS)
def test_with_all_fences_nothing_shows(format_: str, event_idx: bool) -> None:
    for seed in SEEDS[:80]:
        Machine(format_, seed, event_idx=event_idx).run()


@pytest.mark.parametrize(("format_", "name", "number"), PLACES, ids=str)
def test_without_one_of_them_it_shows(format_: str, name: str, number: int) -> None:
    for seed in SEEDS:
        for event_idx in (False, True):
            try:
                Machine(format_, seed, event_idx=event_idx, without=(name, number)).run()
            except AssertionError:
                return
    pytest.fail(f"nothing shows without fence {number} of {name}")
