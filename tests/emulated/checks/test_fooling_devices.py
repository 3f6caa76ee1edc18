"""Devices that would fool a check that looks too late, too seldom, or at one thing only."""

from __future__ import annotations

from typing import ClassVar

import pytest

from tests.emulated.checks.judging import judge, results, with_verdict, words
from tests.emulated.checks.test_odd_devices import WakesUp, always_both_bits, on_read
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.emulated.behaviour import Behaviour, Phase
from uvirtio.emulated.layout import STRUCTURES
from uvirtio.spec.features import Feature
from uvirtio.spec.pci import Command, StructureType
from uvirtio.spec.registers import COMMON
from uvirtio.spec.status import Status

_STATUS = STRUCTURES[StructureType.COMMON][0] + COMMON["device_status"].offset


class ShowsItTooEarly(Behaviour):
    """Shows itself suspended at once, and goes on working for a while."""

    busy = False

    def begin_suspend(self) -> None:
        self.phase, self.busy = Phase.SUSPENDED, True
        self.device.status = self.suspended_status(self.device.status)
        self.device.clock.call_at(self.device.clock.now() + 0.1, self._fall_asleep)

    def _fall_asleep(self) -> None:
        self.busy = False

    def _awake(self) -> bool:
        return self.phase is Phase.RUNNING or (self.phase is Phase.SUSPENDED and self.busy)

    def may_consume(self) -> bool:
        return self._awake()

    def may_use(self) -> bool:
        return self._awake()

    def may_notify_queue(self) -> bool:
        return self._awake()


class NotifiesTooLate(Behaviour):
    """Notifies what it used before it was suspended a while after that."""

    wait = 0.02

    def may_notify_queue(self) -> bool:
        return self.phase is Phase.RUNNING

    def present_suspended(self) -> None:
        super().present_suspended()
        self.device.clock.call_at(self.device.clock.now() + self.wait, self._notify)

    def _notify(self) -> None:
        device = self.device
        if self.phase is Phase.SUSPENDED and device._held:
            device._held.clear()
            device.interrupts.queue(0, device.queues[0].vector)


class ForgetsNotifications(Behaviour):
    """Never notifies what it uses between the SUSPEND write and "suspended"."""

    def may_notify_queue(self) -> bool:
        return self.phase is not Phase.SUSPENDING and super().may_notify_queue()

    def present_suspended(self) -> None:
        self.device._held.clear()
        super().present_suspended()


class BreaksDownAsleep(Behaviour):
    """Fails while it is suspended."""

    after: ClassVar[float] = 0.05

    def present_suspended(self) -> None:
        super().present_suspended()
        self.device.clock.call_at(self.device.clock.now() + self.after, self._break)

    def _break(self) -> None:
        if self.phase is Phase.SUSPENDED:
            self.fail("broke down")


class LosesTheLine(Behaviour):
    """ISR shows what it should after a resume, and the interrupt is not raised any more."""

    after = 1

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.count = 0
        self.raised = self.device.interrupts.on_level

    def reset(self) -> None:
        self.count = 0
        self.device.interrupts.on_level = self.raised
        super().reset()

    def finish_resume(self) -> None:
        self.count += 1
        if self.count == self.after:
            self.device.interrupts.on_level = lambda active: None
        super().finish_resume()


class LosesTheLineTheSecondTime(LosesTheLine):
    """As that, from the second resume on."""

    after = 2


class AnswersLateAfterSuspend(Behaviour):
    """Its registers read all-ones until a moment after the status shows it suspended; ISR was set before."""

    until = 0.0

    def present_suspended(self) -> None:
        super().present_suspended()
        self.until = self.device.clock.now() + 1e-3

    def absent(self) -> bool:
        if self.phase is Phase.SUSPENDED:
            return self.device.clock.now() < self.until
        return self.phase is Phase.SUSPENDING


class ServesOverAReset(Behaviour):
    """Status reads 0 as soon as 0 is written; the buffers that wait are served all the same, at once or a while later."""

    wait: ClassVar[float] = 0.0

    def reset_written(self) -> None:
        if self.phase is not Phase.SUSPENDED:
            super().reset_written()
            return
        self._cancel()
        self.device.status = 0
        for queue in self.device.queues:
            queue.enabled = False
        if self.wait:
            self.device.clock.call_at(self.device.clock.now() + self.wait, self._serve)
        else:
            self._serve()

    def _serve(self) -> None:
        self.phase = Phase.RUNNING
        with self.device.guarded():
            for queue in self.device.queues:
                queue.enabled = queue.ring is not None
            self.device.service_all()
        self.device.reset()

    def may_notify_queue(self) -> bool:
        return bool(self.device.status) and super().may_notify_queue()


@pytest.mark.parametrize("kind", ["rng", "blk"])
@pytest.mark.parametrize("ring", ["", "&features=-RING_PACKED"])
@pytest.mark.parametrize("wait", [0.0, 1e-4, 3e-4, 0.05])
def test_one_that_serves_what_waits_when_it_is_reset_has_not_reset_however_early_its_status_reads_0(
    kind: str, ring: str, wait: float
) -> None:
    class Late(ServesOverAReset):
        pass

    Late.wait = wait
    run = judge(f"emulated:{kind}?latency=0{ring}", behaviour=Late, only="V15")
    assert words(run) == {"V15": "FAIL"}
    assert "used index" in results(run)["V15"].finding.observed


@pytest.mark.parametrize("kind", ["rng", "blk"])
@pytest.mark.parametrize("latency", ["latency=0", "instant=on", "latency=0.001"])
def test_one_that_shows_itself_suspended_too_early_is_found_however_fast_it_works(kind: str, latency: str) -> None:
    run = judge(f"emulated:{kind}?{latency}", behaviour=ShowsItTooEarly)
    assert words(run)["V4"] == "FAIL"
    assert run.status == 1


def test_buffers_that_are_used_while_suspended_are_a_failure_whichever_check_sees_it() -> None:
    for only in ("V10", "V11"):
        run = judge("emulated:blk?fault=V4", only=only)
        assert words(run) == {only: "FAIL"}
        assert "this breaks V4 as well" in results(run)[only].finding.remarks[0]


def test_what_another_scenario_shows_broken_fails_although_its_own_have_passed() -> None:
    class SometimesWorksOn(Behaviour):
        count = 0

        def present_suspended(self) -> None:
            super().present_suspended()
            SometimesWorksOn.count += 1
            if SometimesWorksOn.count > 20:  # more than the scenarios of V4 take
                self.device.clock.call_at(self.device.clock.now() + 1e-3, self._work)

        def _work(self) -> None:
            if self.phase is Phase.SUSPENDED:
                self.phase = Phase.RUNNING
                with self.device.guarded():
                    self.device.service_all()
                self.phase = Phase.SUSPENDED

    run = judge("emulated:rng?latency=0", behaviour=SometimesWorksOn, only="V4,S1", cycles=40)
    finding = results(run)["V4"].finding
    assert finding.verdict.value == "FAIL"
    assert "(seen in S1)" in finding.observed
    assert any("PASS" in remark for remark in finding.remarks)


@pytest.mark.parametrize("wait", [0.001, 0.02])
@pytest.mark.parametrize("latency", ["latency=0.0001", "latency=0.002", "delay=0.01"])
def test_a_notification_that_comes_while_suspended_is_found(latency: str, wait: float) -> None:
    class Late(NotifiesTooLate):
        pass

    Late.wait = wait
    run = judge(f"emulated:rng?{latency}", behaviour=Late)
    assert words(run)["V3"] == "FAIL"
    only = judge(f"emulated:rng?{latency}", behaviour=Late, only="V12")
    assert words(only) == {"V12": "FAIL"}


def test_a_notification_that_is_lost_for_good_is_a_failure_and_one_that_comes_after_resume_a_warning() -> None:
    lost = judge("emulated:rng?depth=64", behaviour=ForgetsNotifications, only="V9,V12")
    assert words(lost) == {"V9": "FAIL", "V12": "FAIL"}
    assert "lost" in results(lost)["V12"].finding.observed
    late = judge("emulated:rng?depth=64&fault=V12", only="V9,V12")
    assert words(late) == {"V9": "PASS", "V12": "WARN"}
    assert "set after resume" in results(late)["V12"].finding.observed


def test_one_that_breaks_down_while_suspended_passes_nothing_that_needs_it_to_sleep_on() -> None:
    run = judge("emulated:rng", behaviour=BreaksDownAsleep)
    assert {words(run)[id_] for id_ in ("V3", "V4", "V10", "V11")} == {"SKIP"}
    assert "failed while it was suspended" in results(run)["V4"].finding.summary
    assert with_verdict(run, "FAIL", "ERROR") == set()
    assert run.verdict.value == "WARN"


def test_one_that_never_sleeps_through_is_no_pass_and_is_not_said_to_refuse_what_it_was_not_asked() -> None:
    class BreaksDownAtOnce(BreaksDownAsleep):
        after = 0.001

    run = judge("emulated:rng", behaviour=BreaksDownAtOnce)
    assert (run.verdict.value, words(run)["V8"], words(run)["V9"]) == ("WARN", "WARN", "SKIP")
    assert "failed by itself" in results(run)["V8"].finding.summary
    assert {results(run)[id_].finding.summary.partition(",")[0] for id_ in ("V9", "V16", "S1")} == {
        "the device failed while it was suspended"
    }


@pytest.mark.parametrize("kind", ["rng", "blk"])
def test_what_one_does_that_has_woken_up_by_itself_is_what_a_running_device_may_do(kind: str) -> None:
    run = judge(f"emulated:{kind}", behaviour=WakesUp)
    assert with_verdict(run, "FAIL", "WARN", "ERROR") == {"V8"}
    assert {words(run)[id_] for id_ in ("V3", "V4", "V10", "V11", "V16")} == {"SKIP"}


def test_one_that_sets_both_bits_for_everything_and_notifies_while_suspended_is_found() -> None:
    def late(bus: EmulatedBus) -> None:
        device = bus.function.device
        device.behaviour = NotifiesTooLate(device, 0.0)
        always_both_bits(bus)

    run = judge("emulated:rng", tamper=late)
    assert words(run)["V3"] == "FAIL"
    assert "cannot be told" in results(run)["V3"].finding.observed


def test_what_was_set_before_the_device_slept_is_not_counted_as_set_while_it_slept() -> None:
    def absent_for_a_moment(bus: EmulatedBus) -> None:
        device = bus.function.device
        behaviour = device.behaviour = AnswersLateAfterSuspend(device, 0.0)
        on_read(
            bus,
            lambda offset, width, proceed: (
                (1 << 8 * width) - 1 if offset != _STATUS and behaviour.absent() else proceed()
            ),
        )

    for kind in ("rng", "blk"):
        run = judge(f"emulated:{kind}", tamper=absent_for_a_moment)
        assert with_verdict(run, "FAIL", "WARN", "ERROR") == set()


@pytest.mark.parametrize(("wrong", "broken"), [(LosesTheLine, "V9"), (LosesTheLineTheSecondTime, "V16")])
def test_an_interrupt_that_is_not_raised_any_more_after_resume_is_found(wrong: type[Behaviour], broken: str) -> None:
    run = judge("emulated:rng", behaviour=wrong, only="V9,V16")
    assert words(run)[broken] == "FAIL"
    assert "no interrupt arrives" in results(run)[broken].finding.observed
    assert judge("emulated:rng?intx=off", behaviour=wrong, only="V9,V16").status == 0


def test_bits_that_reading_does_not_clear_are_not_called_notifications() -> None:
    def sticky(bus: EmulatedBus) -> None:
        interrupts = bus.function.interrupts
        interrupts.read_isr = lambda: interrupts.isr  # type: ignore[method-assign]

    run = judge("emulated:rng", tamper=sticky, only="V3,V12", interrupts="intx")
    assert words(run) == {"V3": "SKIP", "V12": "SKIP"}
    assert "does not clear it" in results(run)["V3"].finding.summary


@pytest.mark.parametrize("kind", ["rng", "blk"])
def test_one_that_does_not_notify_what_it_serves_on_waking_up_is_found_although_it_notifies_later(kind: str) -> None:
    class WakesSilently(Behaviour):
        silent = False

        def finish_resume(self) -> None:
            self.silent = True
            super().finish_resume()
            self._event = self.device.clock.call_at(self.device.clock.now() + 1e-3, self._speak)

        def _speak(self) -> None:
            self.silent = False
            self.device._held.clear()

        def reset(self) -> None:
            self.silent = False
            super().reset()

        def may_notify_queue(self) -> bool:
            return super().may_notify_queue() and not self.silent

    run = judge(f"emulated:{kind}?depth=64&latency=0.0001", behaviour=WakesSilently)
    assert words(run)["V16"] == "FAIL"
    assert "had waited" in results(run)["V16"].finding.observed


def test_one_that_may_not_reach_memory_any_more_after_resume_has_not_resumed() -> None:
    def loses_bus_mastering(bus: EmulatedBus) -> None:
        pci, behaviour = bus.function.pci, bus.function.device.behaviour
        finish = behaviour.finish_resume

        def resume() -> None:
            pci.set_command(Command.BUS_MASTER, False)
            finish()

        behaviour.finish_resume = resume  # type: ignore[method-assign]

    run = judge("emulated:rng", tamper=loses_bus_mastering, only="V9")
    assert words(run) == {"V9": "FAIL"}
    assert "Bus Master Enable" in results(run)["V9"].finding.observed


def test_a_device_whose_notifications_stay_away_for_a_while_is_looked_at_once_more() -> None:
    class WakesSilentlyForLong(Behaviour):
        until = 0.0

        def finish_resume(self) -> None:
            self.until = self.device.clock.now() + 0.01
            super().finish_resume()

        def may_notify_queue(self) -> bool:
            if super().may_notify_queue() and self.device.clock.now() < self.until:
                self.device._held.clear()
                return False
            return super().may_notify_queue()

    run = judge("emulated:rng?depth=64", behaviour=WakesSilentlyForLong, only="V3,V8,V9")
    assert words(run)["V3"] == "PASS"


def test_one_that_resumes_at_a_second_suspend_does_not_count_as_resuming_by_the_wrong_byte() -> None:
    class Toggles(Behaviour):
        def write_suspended(self, value: int) -> None:
            self.begin_resume()

    run = judge("emulated:rng", behaviour=Toggles)
    assert words(run)["V9"] == "PASS"
    assert "resumed the device" in results(run)["I2"].finding.summary
    assert not any("0x0f" in remark for remark in run.remarks)
    assert with_verdict(run, "FAIL", "WARN", "ERROR") == set()


def test_one_that_shows_the_byte_and_waits_for_another_is_resumed_by_that_and_says_so() -> None:
    class WantsTheOther(Behaviour):
        def write_suspended(self, value: int) -> None:
            if value & Status.SUSPEND:
                self.device.status |= value & Status.DRIVER_OK
            else:
                self.begin_resume()

    run = judge("emulated:rng", behaviour=WantsTheOther)
    assert words(run)["V9"] == "FAIL"
    assert "did resume it" in results(run)["V9"].finding.observed
    assert words(run)["V16"] == "PASS"


def test_features_that_only_the_reset_of_a_suspended_device_spoils_are_a_warning() -> None:
    def spoiled(bus: EmulatedBus) -> None:
        device = bus.function.device
        acceptable = device.features_acceptable
        spoilt = [False]

        class Spoils(Behaviour):
            def reset_written(self) -> None:
                spoilt[0] = self.phase is Phase.SUSPENDED
                super().reset_written()

        device.behaviour = Spoils(device, 0.0)
        device.features_acceptable = lambda: not spoilt[0] and acceptable()  # type: ignore[method-assign]

    assert words(judge("emulated:rng", tamper=spoiled, only="V15")) == {"V15": "WARN"}


@pytest.mark.parametrize("kind", ["rng", "blk"])
def test_what_has_become_of_a_device_that_stops_the_run_is_said(kind: str) -> None:
    class StopsOffering(Behaviour):
        def finish_resume(self) -> None:
            super().finish_resume()
            self.device.offered &= ~(1 << Feature.SUSPEND)

    run = judge(f"emulated:{kind}", behaviour=StopsOffering)
    assert "does not do ordinary work" in run.stopped
    assert words(run)["S2"] == "FAIL"
    assert "offered features" in results(run)["S2"].finding.observed


def test_a_device_of_the_machine_itself_is_given_an_impossible_address_only_on_request() -> None:
    def as_if_real(bus: EmulatedBus) -> None:
        bus.bus = "uio"

    run = judge("emulated:rng", tamper=as_if_real, only="V14")
    assert words(run) == {"V14": "SKIP"}
    assert "--provoke" in results(run)["V14"].finding.summary
    assert words(judge("emulated:rng", tamper=as_if_real, only="V14", provoke=True)) == {"V14": "PASS"}
    assert words(judge("emulated:rng", only="V14")) == {"V14": "PASS"}


def test_one_that_refuses_its_features_stops_the_run_with_advice() -> None:
    def choosy(bus: EmulatedBus) -> None:
        device = bus.function.device
        acceptable = device.features_acceptable
        device.features_acceptable = lambda: (  # type: ignore[method-assign]
            acceptable() and not device.accepted >> Feature.EVENT_IDX & 1
        )

    run = judge("emulated:rng", tamper=choosy)
    assert run.status == 1
    assert "--without" in run.stopped
