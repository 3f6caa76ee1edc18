"""The one bounded wait, on simulated time."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uvirtio.access.clock import SimulatedClock
from uvirtio.access.wait import CEILING, FIRST_SLEEP, SPIN, poll

#: 0 is "not yet", 7 is one end, 9 another.
OUTCOMES = bytes(2 if value == 9 else value == 7 for value in range(256))


class Register:
    """Reads 0 until ``when``, then ``value``; notes the time of each read. A read takes ``cost`` seconds."""

    def __init__(self, clock: SimulatedClock, when: float, value: int = 7, cost: float = 0.0) -> None:
        self._clock, self._when, self._value, self._cost = clock, when, value, cost
        self.times: list[float] = []

    def read(self) -> int:
        self.times.append(self._clock.now())
        value = self._value if self._clock.now() >= self._when else 0
        self._clock.sleep(self._cost)
        return value


def test_a_register_that_is_done_at_once_costs_one_read_and_no_time() -> None:
    clock = SimulatedClock()
    clock.sleep(5.0)
    register = Register(clock, 0.0, 9)
    polled = poll(register.read, OUTCOMES, clock, 10.0)
    assert (polled.outcome, polled.value, polled.reads) == (2, 9, 1)
    assert polled.started == polled.last_not_yet == polled.first_done == 5.0
    assert polled.seconds == polled.after == 0.0


def test_it_reads_back_to_back_before_it_sleeps() -> None:
    clock = SimulatedClock()
    register = Register(clock, 1e-9)
    polled = poll(register.read, OUTCOMES, clock, 10.0)
    assert register.times[:SPIN] == [0.0] * SPIN
    assert polled.reads == SPIN + 1
    assert polled.seconds == pytest.approx(FIRST_SLEEP)


def test_the_pauses_double_up_to_the_ceiling() -> None:
    clock = SimulatedClock()
    register = Register(clock, 0.2)
    poll(register.read, OUTCOMES, clock, 10.0)
    times = register.times[SPIN - 1 :]
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert pauses[0] == pytest.approx(FIRST_SLEEP)
    for before, after in itertools.pairwise(pauses):
        assert after == pytest.approx(min(2 * before, CEILING))
    assert pauses[-1] == pytest.approx(CEILING)


@pytest.mark.parametrize("ceiling", [1e-6, 1e-3, 0.5])
def test_no_pause_is_longer_than_the_ceiling_that_the_caller_sets(ceiling: float) -> None:
    clock = SimulatedClock()
    register = Register(clock, 0.01)
    polled = poll(register.read, OUTCOMES, clock, 1.0, ceiling=ceiling, spin=4)
    gaps = [after - before for before, after in zip(register.times, register.times[1:], strict=False)]
    assert max(gaps) <= ceiling * (1 + 1e-9)
    assert polled.first_done - polled.last_not_yet <= ceiling * (1 + 1e-9)


@given(
    delay=st.floats(0, 2), timeout=st.floats(0, 2), cost=st.sampled_from([0.0, 1e-6, 3e-3]), spin=st.integers(1, 100)
)
def test_a_timeout_means_that_a_read_after_the_deadline_still_said_not_yet(
    delay: float, timeout: float, cost: float, spin: int
) -> None:
    clock = SimulatedClock()
    clock.sleep(1.0)
    start = clock.now()
    register = Register(clock, start + delay, cost=cost)
    polled = poll(register.read, OUTCOMES, clock, timeout, spin=spin)
    if delay <= timeout:
        assert polled.outcome == 1, "a device that was in time is never called late"
    if polled.outcome == 0:
        assert register.times[-1] >= start + timeout
        assert polled.value == 0
        assert polled.last_not_yet == polled.first_done == clock.now()
    assert len([at for at in register.times if at >= start + timeout]) <= 1, "one read after the deadline, not more"
    assert polled.reads == len(register.times)


@given(delay=st.floats(0, 0.5), cost=st.sampled_from([0.0, 1e-6, 1e-3]))
def test_the_change_lies_between_the_last_not_yet_and_the_first_done(delay: float, cost: float) -> None:
    clock = SimulatedClock()
    register = Register(clock, delay, cost=cost)
    polled = poll(register.read, OUTCOMES, clock, 10.0)
    assert polled.last_not_yet <= max(delay, polled.started) <= polled.first_done
    if polled.reads > 1:
        assert polled.last_not_yet == register.times[-2]
    assert polled.after == polled.last_not_yet - polled.started
    assert polled.seconds == polled.first_done - polled.started


def test_a_device_that_finishes_while_the_driver_spins_is_seen_at_the_next_read() -> None:
    clock = SimulatedClock()
    register = Register(clock, 20e-6, cost=1e-6)
    polled = poll(register.read, OUTCOMES, clock, 1.0)
    late = [at for at in register.times if at >= 20e-6]
    assert len(late) == 1, "the first read after the change ends the wait"
    assert polled.first_done - 20e-6 <= 2e-6, "two reads at most from the change to its sight"


def test_the_last_pause_ends_at_the_deadline() -> None:
    clock = SimulatedClock()
    register = Register(clock, 99.0)
    polled = poll(register.read, OUTCOMES, clock, 0.1234)
    assert polled.outcome == 0
    assert polled.seconds == pytest.approx(0.1234)


def test_a_timeout_of_zero_is_one_read() -> None:
    clock = SimulatedClock()
    register = Register(clock, 1.0)
    polled = poll(register.read, OUTCOMES, clock, 0.0)
    assert (polled.outcome, polled.reads) == (0, 1)


def test_events_run_while_it_sleeps() -> None:
    clock = SimulatedClock()
    memory = memoryview(bytearray(8))
    clock.call_at(2.5, lambda: memory.__setitem__(3, 9))
    polled = poll(lambda: memory[3], OUTCOMES, clock, 10.0)
    assert (polled.outcome, polled.value) == (2, 9)
    assert 2.5 - CEILING <= polled.after <= 2.5 <= polled.seconds <= 2.5 + CEILING
