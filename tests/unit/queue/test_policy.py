"""Waiting for used buffers: polling as far as the budget goes, then interrupts, and none of them lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from uvirtio.access.clock import SimulatedClock
from uvirtio.access.notifications import Notifications
from uvirtio.queue.policy import BUDGET, CompletionWait

from .model import Memory, PackedDevice, SplitDevice
from .rig import FORMATS, queue_of


class Machine:
    """A queue, a device that uses its buffers at set times, and an interrupt line, on one simulated clock."""

    present = True
    description = "simulated"

    def __init__(self, format_: str, event_idx: bool) -> None:
        self.clock = SimulatedClock()
        self.memory = Memory()
        self.queue = queue_of(format_, 8, self.memory, event_idx=event_idx)
        self.queue.notifier = lambda _following: None
        self.device: Any = (SplitDevice if format_ == "split" else PackedDevice)(
            self.memory, self.queue, event_idx=event_idx
        )
        self.isr_value = memoryview(bytearray(1))
        self.notifications = Notifications(self.isr_value, self)
        self.raised = 0
        self.waits = 0
        self._wake = False

    def enable(self) -> None:
        pass

    def count(self) -> int:
        return self.raised

    def wait(self, seconds: float) -> bool:
        """Sleep until the next interrupt or the end of the time."""
        self.waits += 1
        end = self.clock.now() + seconds
        self._wake = False
        while not self._wake and self.clock.now() < end:
            self.clock.advance_to(min(end, self.clock.next_event() or end))
        return self._wake

    def publish(self, *delays: float) -> None:
        """Make buffers available that the device uses after these delays."""
        for _ in delays:
            self.queue.add((), [self.memory.allocate(16)])
        self.queue.publish()
        for buffer, delay in zip(self.device.fetch(), delays, strict=True):
            self.clock.call_at(self.clock.now() + delay, self._using(buffer))

    def _using(self, buffer: Any) -> Callable[[], None]:
        def use() -> None:
            self.device.use(buffer, 16)
            if self.device.interrupt_due():
                self.raised += 1
                self.isr_value[0] = 1
                self._wake = True

        return use


CASES = [(format_, event_idx) for format_ in FORMATS for event_idx in (False, True)]


@pytest.mark.parametrize(("format_", "event_idx"), CASES)
def test_what_is_there_already_is_found_without_an_interrupt(format_: str, event_idx: bool) -> None:
    machine = Machine(format_, event_idx)
    wait = CompletionWait(machine.queue, machine.notifications, machine.clock)
    machine.publish(0.0)
    machine.clock.sleep(1e-6)
    polled = wait.wait(1.0)
    assert (polled.outcome, polled.reads, polled.seconds) == (1, 1, 0.0)
    assert (machine.raised, machine.waits) == (0, 0)


@pytest.mark.parametrize(("format_", "event_idx"), CASES)
def test_beyond_the_budget_it_sleeps_until_the_interrupt_and_suppresses_it_again(format_: str, event_idx: bool) -> None:
    machine = Machine(format_, event_idx)
    wait = CompletionWait(machine.queue, machine.notifications, machine.clock)
    machine.publish(1e-4, 2e-4)
    polled = wait.wait(1.0)
    assert polled.outcome == 1
    assert machine.raised >= 1
    assert polled.reads > BUDGET
    assert machine.queue.state().interrupts_suppressed
    assert len(machine.queue.completed()) >= 1
    raised = machine.raised
    machine.clock.sleep(1.0)
    assert machine.raised == raised, "while nobody sleeps, the device interrupts nobody"


class Late:
    """The queue of a machine whose device gets between the look and the asking."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine.queue, name)

    def interrupts(self, enabled: bool) -> bool:
        if enabled:
            self._machine.clock.sleep(0.6)
        return bool(self._machine.queue.interrupts(enabled))


@pytest.mark.parametrize(("format_", "event_idx"), CASES)
def test_a_buffer_used_just_before_interrupts_are_asked_for_is_not_waited_for(format_: str, event_idx: bool) -> None:
    machine = Machine(format_, event_idx)
    machine.publish(0.5)
    wait = CompletionWait(Late(machine), machine.notifications, machine.clock, budget=1)  # type: ignore[arg-type]
    polled = wait.wait(10.0)
    assert polled.outcome == 1
    assert machine.waits == 0
    assert polled.seconds == pytest.approx(0.6)
    assert machine.queue.state().interrupts_suppressed, "who reaps needs no notifications"


@pytest.mark.parametrize(("format_", "event_idx"), CASES)
def test_without_a_budget_it_never_asks_for_interrupts(format_: str, event_idx: bool) -> None:
    machine = Machine(format_, event_idx)
    wait = CompletionWait(machine.queue, machine.notifications, machine.clock, budget=None)
    machine.publish(0.3)
    assert wait.wait(1.0).outcome == 1
    assert (machine.raised, machine.waits) == (0, 0)


@pytest.mark.parametrize("budget", [None, 1, 100])
@pytest.mark.parametrize(("format_", "event_idx"), CASES)
def test_a_device_that_never_answers_is_a_timeout(format_: str, event_idx: bool, budget: int | None) -> None:
    machine = Machine(format_, event_idx)
    wait = CompletionWait(machine.queue, machine.notifications, machine.clock, budget=budget)
    machine.publish(99.0)
    polled = wait.wait(2.0)
    assert polled.outcome == 0
    assert 2.0 <= polled.seconds <= 2.1
    assert machine.queue.state().interrupts_suppressed


@pytest.mark.parametrize(("format_", "event_idx"), CASES)
def test_a_sleep_over_several_queues_ends_with_the_first_that_is_used_and_asks_all_of_them(
    format_: str, event_idx: bool
) -> None:
    machine, other = Machine(format_, event_idx), Machine(format_, event_idx)
    with CompletionWait([other.queue, machine.queue], machine.notifications, machine.clock, budget=1) as wait:
        assert machine.queue.state().interrupts_suppressed
        assert other.queue.state().interrupts_suppressed
        machine.publish(0.01)
        assert wait.wait(1.0).outcome == 1
        assert machine.raised == 1
        assert machine.queue.ready
        assert not other.queue.ready
    assert not machine.queue.state().interrupts_suppressed
    assert not other.queue.state().interrupts_suppressed


def test_what_the_interrupt_showed_is_told_and_can_end_the_wait() -> None:
    machine = Machine("split", False)
    machine.publish(0.01)
    seen: list[int] = []
    wait = CompletionWait(machine.queue, machine.notifications, machine.clock, budget=1, noticed=seen.append)
    assert wait.wait(1.0).outcome == 1
    assert 1 in seen

    def broken(_bits: int) -> None:
        raise ValueError("the device is in trouble")

    machine.queue.completed()
    with (
        CompletionWait(machine.queue, machine.notifications, machine.clock, budget=1, noticed=broken) as wait,
        pytest.raises(ValueError, match="in trouble"),
    ):
        wait.wait(1.0)
    assert not machine.queue.state().interrupts_suppressed


@pytest.mark.parametrize(("format_", "event_idx"), CASES)
def test_a_queue_with_used_buffers_keeps_no_other_from_being_asked_or_left_alone(format_: str, event_idx: bool) -> None:
    machine, other = Machine(format_, event_idx), Machine(format_, event_idx)
    machine.publish(0.0)
    machine.clock.sleep(1e-6)
    with CompletionWait([machine.queue, other.queue], machine.notifications, machine.clock):
        assert machine.queue.ready
        assert other.queue.state().interrupts_suppressed
    assert not other.queue.state().interrupts_suppressed


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("format_", "event_idx"), CASES)
def test_what_any_queue_used_just_before_interrupts_are_asked_for_is_not_waited_for(
    format_: str, event_idx: bool, first: bool
) -> None:
    machine, other = Machine(format_, event_idx), Machine(format_, event_idx)
    machine.publish(0.5)
    queues: list[Any] = [Late(machine), other.queue] if first else [other.queue, Late(machine)]
    assert CompletionWait(queues, machine.notifications, machine.clock, budget=1).wait(10.0).outcome == 1
    assert machine.waits == 0
