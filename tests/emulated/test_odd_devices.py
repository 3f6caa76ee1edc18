"""`uvirtio suspend` on devices that are odd in ways that no profile plays: what is allowed passes, what is not fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest

from tests.emulated.checks.judging import judge, words
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.device import Device
from uvirtio.emulated.behaviour import Behaviour, Phase
from uvirtio.emulated.device import VirtioDevice
from uvirtio.emulated.layout import STRUCTURES
from uvirtio.errors import ConfigurationUnstable
from uvirtio.spec.devices.blk import SPEC
from uvirtio.spec.pci import StructureType
from uvirtio.spec.registers import COMMON
from uvirtio_drivers.blk import Blk
from uvirtio_drivers.fields import Fields
from uvirtio_drivers.rng_workload import RngWorkload
from uvirtio_tools.driving.options import RunOptions
from uvirtio_tools.judging.history import History
from uvirtio_tools.judging.suspend_run import SuspendRun
from uvirtio_tools.scenarios.cycling import run_cycles

_ISR = STRUCTURES[StructureType.ISR][0]
_GENERATION = STRUCTURES[StructureType.COMMON][0] + COMMON["config_generation"].offset


def suspend(
    behaviour: type[Behaviour], locator: str = "emulated:rng", *, dialect: str = "auto", cycles: int = 1
) -> SuspendRun:
    """What `uvirtio suspend` finds out about the device with another behaviour put in."""
    bus = EmulatedBus(parse(locator))
    device = bus.function.device
    device.behaviour = behaviour(device, behaviour.default_delay)
    run = SuspendRun(locator)
    with Device(bus, recorder=History(bus.clock)) as driven:
        run_cycles(run, driven, RunOptions(dialect=dialect, cycles=cycles))
    return run


def remarks(run: SuspendRun) -> str:
    """Everything that was worth a remark."""
    return "; ".join([*run.remarks, *(remark for cycle in run.cycles for remark in cycle.remarks)])


class LateNotification(Behaviour):
    """Shows itself suspended, and only then raises the notification of what it used before."""

    after: ClassVar[float] = 0.001

    def may_notify_queue(self) -> bool:
        return self.phase is Phase.RUNNING

    def present_suspended(self) -> None:
        super().present_suspended()
        self.device.clock.call_at(self.device.clock.now() + self.after, self._late)

    def _late(self) -> None:
        if self.phase is Phase.SUSPENDED and self.device._held:
            self.device._held.clear()
            self.device.interrupts.queue(0, self.device.queues[0].vector)


class MuchLater(LateNotification):
    after = 0.02


@pytest.mark.parametrize("behaviour", [LateNotification, MuchLater])
def test_a_notification_that_comes_after_suspended_showed_fails_however_soon_it_comes(
    behaviour: type[Behaviour],
) -> None:
    run = suspend(behaviour)
    assert (run.verdict.value, run.status) == ("FAIL", 1)
    assert "ISR bit 0" in run.reason
    assert "3.4.2" in run.reason


class BusyUntilSettled(Behaviour):
    """Answers all-ones to a read of ISR until 2 ms after it has shown itself suspended; what was pending stays pending."""

    until = 0.0

    def present_suspended(self) -> None:
        super().present_suspended()
        self.until = self.device.clock.now() + 0.002

    @staticmethod
    def tamper(bus: EmulatedBus, proceed: Callable[[int, int, int], int]) -> Callable[[int, int, int], int]:
        def read(bar: int, offset: int, width: int) -> int:
            behaviour = bus.function.device.behaviour
            assert isinstance(behaviour, BusyUntilSettled)
            if offset == _ISR and bus.clock.now() < behaviour.until:
                return (1 << 8 * width) - 1
            return proceed(bar, offset, width)

        return read


def test_a_bit_that_was_pending_behind_all_ones_is_not_taken_for_one_that_was_raised_while_suspended() -> None:
    bus = EmulatedBus(parse("emulated:rng"))
    device = bus.function.device
    device.behaviour = BusyUntilSettled(device, 0.0)
    bus.function.bar_read = BusyUntilSettled.tamper(bus, bus.function.bar_read)  # type: ignore[method-assign]
    run = SuspendRun("emulated:rng")
    with Device(bus, recorder=History(bus.clock)) as driven:
        run_cycles(run, driven, RunOptions(cycles=2))
    assert run.verdict.value == "PASS", run.reason


def test_a_workload_that_moved_nothing_over_the_suspend_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RngWorkload, "submit", lambda self, count=None: 0)
    run = suspend(Behaviour)
    assert run.verdict.value == "WARN"
    assert "by its status alone; nothing was moved" in run.reason


def test_what_is_answered_within_the_kick_is_not_said_to_have_been_in_flight() -> None:
    run = suspend(Behaviour, "emulated:rng?instant=on")
    assert run.verdict.value == "PASS"
    assert run.cycles[0].in_flight == 0
    assert "nothing was in flight" in remarks(run)


class LosesItsLine(Behaviour):
    """From its first resume on it sets ISR bits, and nothing arrives as an interrupt."""

    def finish_resume(self) -> None:
        self.device.interrupts.on_level = lambda _asserted: None
        super().finish_resume()


def test_an_interrupt_that_shows_in_isr_and_no_longer_arrives_is_lost() -> None:
    run = suspend(LosesItsLine)
    assert (run.verdict.value, run.status) == ("FAIL", 1)
    assert "no interrupt arrives" in run.reason


class TellsOfAChange(Behaviour):
    """Sends a configuration change notification while suspended."""

    def present_suspended(self) -> None:
        super().present_suspended()
        self.device.clock.call_at(self.device.clock.now() + 0.05, self._tell)

    def _tell(self) -> None:
        if self.phase is Phase.SUSPENDED:
            self.device.interrupts.config(0xFFFF)


def test_a_configuration_change_notification_while_suspended_fails_whatever_the_host_did() -> None:
    run = suspend(TellsOfAChange)
    assert run.verdict.value == "FAIL"
    assert "ISR bit 1" in run.reason


@pytest.mark.parametrize("kind", ["rng", "blk", "net", "console", "balloon", "input"])
def test_a_conforming_device_of_any_type_keeps_its_interrupt_through_cycles(kind: str) -> None:
    run = suspend(Behaviour, f"emulated:{kind}", cycles=3)
    assert run.verdict.value == "PASS", run.reason


class NeverResetsAgain(Behaviour):
    """Ignores a reset from its first resume on."""

    resumed = False

    def finish_resume(self) -> None:
        self.resumed = True
        super().finish_resume()

    def reset_written(self) -> None:
        if not self.resumed:
            super().reset_written()


def test_a_device_that_no_longer_resets_after_its_cycles_has_not_passed() -> None:
    run = suspend(NeverResetsAgain)
    assert (run.verdict.value, run.status) == ("FAIL", 1)
    assert "does not reset" in run.reason


class KeepsItsInterruptUp(Behaviour):
    """Answers all-ones for ISR and never takes its interrupt back."""

    def __init__(self, device: VirtioDevice, delay: float) -> None:
        super().__init__(device, delay)
        device.interrupts.read_isr = lambda: 0xFF  # type: ignore[method-assign]


def test_a_device_that_never_takes_its_interrupt_back_does_not_stop_the_time() -> None:
    run = suspend(KeepsItsInterruptUp)
    assert run.verdict.value == "PASS"
    assert "ISR has shown nothing" in remarks(run)


class Mute(Behaviour):
    """Offers no suspend, and serves nothing either."""

    feature = None

    def may_consume(self) -> bool:
        return False


def test_that_suspend_is_not_offered_is_not_hidden_by_a_device_that_does_not_work_either() -> None:
    run = suspend(Mute, "emulated:rng?profile=qemu-store")
    assert (run.verdict.value, run.status) == ("SKIP", 4)
    assert "does not offer SUSPEND" in run.reason
    assert "nor does the device do ordinary work" in remarks(run)


class ForgetsWhatItOwes(Behaviour):
    """Never notifies what it uses between the SUSPEND write and "suspended"."""

    def may_notify_queue(self) -> bool:
        return self.phase is not Phase.SUSPENDING and super().may_notify_queue()

    def present_suspended(self) -> None:
        self.device._held.clear()
        super().present_suspended()


def test_what_was_finished_on_the_way_and_is_notified_neither_then_nor_later_is_a_lost_interrupt() -> None:
    run = suspend(ForgetsWhatItOwes, "emulated:rng?depth=64")
    assert (run.verdict.value, run.status) == ("FAIL", 1)
    assert "V12" in run.reason
    assert "the notification is lost" in run.reason


def test_a_configuration_generation_that_never_rests_ends_at_the_time_limit_and_needs_few_reads() -> None:
    bus = EmulatedBus(parse("emulated:blk"))
    reads = 0

    def read(bar: int, offset: int, width: int) -> int:
        nonlocal reads
        if offset == _GENERATION:
            reads += 1
            return reads & 0xFF
        return proceed(bar, offset, width)

    proceed, bus.function.bar_read = bus.function.bar_read, read  # type: ignore[method-assign]
    with Device(bus) as driven:
        assert driven.configuration.piece(0, 0) == b""
        started = bus.clock.now()
        with pytest.raises(ConfigurationUnstable, match="the configuration kept changing for 10 s"):
            driven.configuration.piece(0, 8)
        assert bus.clock.now() - started < 11
        assert reads < 5000
        driven.timeout = 2.0
        driven.initialise(Blk.FEATURES, Blk.queues(driven))
        reads, started = 0, bus.clock.now()
        with pytest.raises(ConfigurationUnstable, match="the field capacity kept changing for 2 s"):
            Fields(driven, SPEC).number("capacity")
        assert bus.clock.now() - started < 2.2
        assert Fields(driven, SPEC).number("blk_size") == 512, "one access needs no generation"
    assert reads < 1000


class NeverClearsIsr(Behaviour):
    """Leaves the bits of ISR set when it is read."""

    def __init__(self, device: VirtioDevice, delay: float) -> None:
        super().__init__(device, delay)
        device.interrupts.read_isr = lambda: device.interrupts.isr  # type: ignore[method-assign]


def test_an_isr_that_reading_does_not_clear_is_no_evidence_of_a_notification_while_suspended() -> None:
    run = suspend(NeverClearsIsr)
    assert {result.statement.id for result in run.results if result.verdict.value == "FAIL"} == {"N6"}
    assert [cycle.verdict.value for cycle in run.cycles] == ["PASS"]
    assert "does not clear it" in remarks(run)


class WritesAfterReset(Behaviour):
    """Is reset while suspended, and writes into the ring that it had 50 ms later."""

    def reset_written(self) -> None:
        queue, memory = self.device.queues[0], self.device.memory
        address = queue.addresses[2] if self.phase is Phase.SUSPENDED and queue.enabled else 0
        super().reset_written()
        if address:
            self.device.clock.call_at(self.device.clock.now() + 0.05, lambda: memory.write(address, b"\x77"))


@pytest.mark.parametrize("ring", ["", "?features=-RING_PACKED"])
def test_a_device_that_writes_into_its_old_ring_after_a_reset_is_found_with_either_format(ring: str) -> None:
    run = judge(f"emulated:rng{ring}", behaviour=WritesAfterReset, only="V15")
    assert words(run) == {"V15": "FAIL"}


@pytest.mark.parametrize("mtu", [68, 65521, 65522, 65535])
@pytest.mark.parametrize("ring", ["", "&features=-RING_PACKED"])
def test_every_mtu_that_is_allowed_gets_a_verdict(mtu: int, ring: str) -> None:
    run = suspend(Behaviour, f"emulated:net?mtu={mtu}{ring}", cycles=3)
    assert (run.verdict.value, run.status) == ("PASS", 0)
    assert words(judge(f"emulated:net?mtu={mtu}{ring}", only="V4,V16")) == {"V4": "PASS", "V16": "PASS"}
