"""Waiting for what a device uses: by looking at the rings, then by its interrupt, and never for longer than was said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from uvirtio.bus.emulated import EmulatedBus, open_emulated
from uvirtio.bus.locator import parse
from uvirtio.device import Device
from uvirtio.errors import DeviceNeedsReset, DeviceTimeout
from uvirtio.queue import Queue
from uvirtio.spec.features import Features


class Waits:
    """A running entropy device, its queue, and buffers for it."""

    def __init__(self, device: Device, bus: EmulatedBus) -> None:
        self.device, self.bus = device, bus
        self.queue: Queue = device.queue(0)
        self.memory = device.function.dma.allocate(4096)
        self.looks = 0

    def ask(self, count: int = 1) -> None:
        for number in range(count):
            self.queue.add((), [self.memory.part(64 * number, 64)])
        self.queue.publish()

    def done(self) -> bool:
        """Take what is there; whether nothing is in flight any more."""
        self.looks += 1
        self.queue.completed()
        return not self.queue.outstanding


@pytest.fixture(params=["simulated", "as if real"])
def waits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waits]:
    """Requests take 10 ms, one after the other. As if real: the rings are looked at a hundred times before anything sleeps."""
    bus = open_emulated(parse("emulated:rng?latency=0.01&depth=1"))
    with Device(bus) as device:
        device.initialise(Features(), {0: 16})
        monkeypatch.setattr(device.clock, "simulated", request.param == "simulated", raising=False)
        yield Waits(device, bus)


def test_it_ends_when_the_last_buffer_is_used_and_asks_for_notifications_again(waits: Waits) -> None:
    waits.ask(5)
    started = waits.device.clock.now()
    polled = waits.device.wait_for(waits.done, 10.0, queues=[waits.queue])
    assert polled.outcome == 1
    assert polled.reads == waits.looks
    if not waits.device.clock.simulated:
        assert waits.looks <= 7, "the predicate is asked when there is something, not all the time"
    assert 0.05 <= waits.device.clock.now() - started < 0.06
    assert not waits.queue.state().interrupts_suppressed
    assert waits.queue.outstanding == 0


def test_it_sleeps_on_the_interrupt_of_what_takes_long(waits: Waits) -> None:
    waits.ask()
    before = waits.device.notifications.used
    waits.device.wait_for(waits.done, 10.0, queues=[waits.queue])
    assert waits.device.notifications.used == before + 1


def test_what_is_done_at_once_is_taken_with_the_first_look(waits: Waits) -> None:
    waits.ask()
    waits.device.clock.sleep(0.02)
    assert waits.device.wait_for(waits.done, queues=[waits.queue]).reads == 1


@pytest.mark.parametrize("timeout", [0.0, 0.005, 1.0])
def test_it_ends_at_the_deadline_with_one_more_look(waits: Waits, timeout: float) -> None:
    waits.bus.function.device.latency = 100.0
    waits.ask()
    started = waits.device.clock.now()
    with pytest.raises(DeviceTimeout, match=f"counting sheep: not within {timeout:g} s; status 0x0f"):
        waits.device.wait_for(waits.done, timeout, doing="counting sheep", queues=[waits.queue])
    assert timeout <= waits.device.clock.now() - started < timeout + 0.06
    assert not waits.queue.state().interrupts_suppressed


def test_what_comes_just_at_the_deadline_counts(waits: Waits) -> None:
    waits.ask()
    assert waits.device.wait_for(waits.done, 0.01, queues=[waits.queue]).outcome == 1


def test_a_device_in_trouble_is_named_as_soon_as_it_says_so(waits: Waits) -> None:
    waits.bus.function.device.latency = 100.0
    waits.ask()
    started = waits.device.clock.now()
    waits.device.clock.call_at(started + 1.0, lambda: waits.bus.function.device.behaviour.fail("test"))
    with pytest.raises(DeviceNeedsReset, match="while waiting"):
        waits.device.wait_for(waits.done, 50.0, queues=[waits.queue])
    assert waits.device.clock.now() - started < 1.1
    assert not waits.queue.state().interrupts_suppressed


def test_what_the_predicate_raises_comes_out_and_notifications_are_asked_for_again(waits: Waits) -> None:
    waits.ask(3)

    def broken() -> bool:
        if waits.done() or waits.looks == 3:
            raise ValueError("enough")
        return False

    with pytest.raises(ValueError, match="enough"):
        waits.device.wait_for(broken, queues=[waits.queue])
    assert not waits.queue.state().interrupts_suppressed
