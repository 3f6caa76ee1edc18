"""Devices that are odd, and devices that are wrong in ways that no profile plays: neither may be judged the other."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.emulated.checks.judging import judge, results, with_verdict, words
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.emulated.behaviour import Behaviour, Phase
from uvirtio.emulated.layout import STRUCTURES
from uvirtio.emulated.queue import DeviceQueue
from uvirtio.spec.features import Feature
from uvirtio.spec.pci import StructureType
from uvirtio.spec.registers import COMMON
from uvirtio.spec.statements import CHAPTERS
from uvirtio.spec.status import Status

_COMMON = STRUCTURES[StructureType.COMMON][0]
_ISR = STRUCTURES[StructureType.ISR][0]
_STATUS = _COMMON + COMMON["device_status"].offset

ReadHook = Callable[[int, int, Callable[[], int]], int]
WriteHook = Callable[[int, int, int, Callable[[], None]], None]


def on_read(bus: EmulatedBus, hook: ReadHook) -> None:
    """Let ``hook(offset, width, proceed)`` answer the reads of the structures' BAR."""
    inner = bus.function.bar_read

    def read(bar: int, offset: int, width: int) -> int:
        return hook(offset, width, lambda: inner(bar, offset, width))

    bus.function.bar_read = read  # type: ignore[method-assign]


def on_write(bus: EmulatedBus, hook: WriteHook) -> None:
    """Let ``hook(offset, width, value, proceed)`` take the writes to the structures' BAR."""
    inner = bus.function.bar_write

    def write(bar: int, offset: int, width: int, value: int) -> None:
        hook(offset, width, value, lambda: inner(bar, offset, width, value))

    bus.function.bar_write = write  # type: ignore[method-assign]


# -- odd, and allowed ------------------------------------------------------------------------------------------------


def all_ones_while_suspended(bus: EmulatedBus) -> None:
    def read(offset: int, width: int, proceed: Callable[[], int]) -> int:
        if bus.function.device.behaviour.is_suspended() and offset != _STATUS:
            return (1 << 8 * width) - 1
        return proceed()

    on_read(bus, read)


def status_too_is_all_ones_once_asleep(bus: EmulatedBus) -> None:
    asleep = 0

    def read(offset: int, width: int, proceed: Callable[[], int]) -> int:
        nonlocal asleep
        asleep = asleep + 1 if bus.function.device.behaviour.is_suspended() else 0
        return 0xFF if asleep > 3 and offset == _STATUS else proceed()

    on_read(bus, read)


def slow_reset(bus: EmulatedBus) -> None:
    until = [0.0, 0]

    def write(offset: int, width: int, value: int, proceed: Callable[[], None]) -> None:
        if offset == _STATUS and value == 0 and bus.function.device.status:
            until[:] = [bus.clock.now() + 0.3, bus.function.device.status]
        proceed()

    def read(offset: int, width: int, proceed: Callable[[], int]) -> int:
        return int(until[1]) if offset == _STATUS and bus.clock.now() < until[0] else proceed()

    on_write(bus, write)
    on_read(bus, read)


def deaf_while_suspended(bus: EmulatedBus) -> None:
    def write(offset: int, width: int, value: int, proceed: Callable[[], None]) -> None:
        common = _COMMON <= offset < _COMMON + COMMON.size
        if not (common and offset != _STATUS and bus.function.device.behaviour.is_suspended()):
            proceed()

    on_write(bus, write)


def silent_isr(bus: EmulatedBus) -> None:
    on_read(bus, lambda offset, width, proceed: proceed() * (offset != _ISR))


def always_both_bits(bus: EmulatedBus) -> None:
    on_read(
        bus, lambda offset, width, proceed: 3 if proceed() and offset == _ISR else proceed() if offset != _ISR else 0
    )


def busy_generation(bus: EmulatedBus) -> None:
    """Counts a new generation at every suspend, although nothing changed."""
    device = bus.function.device
    inner = device.behaviour.present_suspended

    def present() -> None:
        device.generation = (device.generation + 1) & 0xFF
        inner()

    device.behaviour.present_suspended = present  # type: ignore[method-assign]


def reserved_bit_set(bus: EmulatedBus) -> None:
    """The status always reads bit 5, which means nothing, except in reset."""
    on_read(bus, lambda offset, width, proceed: (value := proceed()) | (0x20 if offset == _STATUS and value else 0))


def prepares_rings_early(bus: EmulatedBus) -> None:
    """Writes the device's side of a ring when the queue is enabled: it has not taken a buffer by that."""
    device = bus.function.device
    inner = device.behaviour.queue_enabled

    def enabled(queue: DeviceQueue) -> None:
        inner(queue)
        device.clock.call_at(device.clock.now() + 1e-3, lambda: _touch(queue))

    def _touch(queue: DeviceQueue) -> None:
        if device.behaviour.phase is Phase.INITIAL and queue.enabled:
            device.memory.store16(queue.addresses[2] + 2, 0)

    device.behaviour.queue_enabled = enabled  # type: ignore[method-assign]


class WithoutFeaturesOk(Behaviour):
    """Shows 0x13 while suspended."""

    def suspended_status(self, status: int) -> int:
        return super().suspended_status(status) & ~Status.FEATURES_OK

    def finish_resume(self) -> None:
        self.device.status |= Status.FEATURES_OK
        super().finish_resume()


class NeedsAKick(Behaviour):
    """After resume it looks at a queue only when it is notified."""

    def finish_resume(self) -> None:
        self.phase = Phase.RUNNING
        self.device.status = (self.device.status & ~Status.SUSPEND) | Status.DRIVER_OK
        if self.device._apply_deferred():
            self.device.notify_config()
        self.device.deliver_held()


class FinishesLater(Behaviour):
    """Suspends at once and leaves requests in process alone until resume: odd, but each is untouched until then."""

    def drained(self) -> bool:
        return True


class Polls(Behaviour):
    """Looks at its queues all the time while it runs, whether it is notified or not; stops on suspend."""

    def _look(self) -> None:
        if self.phase is Phase.RUNNING:
            self.device.service_all()
        if self.phase is not Phase.INITIAL:
            self.device.clock.call_at(self.device.clock.now() + 2e-4, self._look)

    def write_running(self, value: int) -> None:
        started = self.phase is Phase.INITIAL
        super().write_running(value)
        if started and self.phase is Phase.RUNNING:
            self._look()


class AnnouncesSuspend(Behaviour):
    """Sends a configuration change notification before it presents itself as suspended."""

    def present_suspended(self) -> None:
        self.device.interrupts.config(self.device.config_vector)
        super().present_suspended()


@pytest.mark.parametrize("kind", ["rng", "blk"])
@pytest.mark.parametrize(
    "odd",
    [
        all_ones_while_suspended, slow_reset, deaf_while_suspended, always_both_bits, busy_generation,
        reserved_bit_set, prepares_rings_early,
        WithoutFeaturesOk, NeedsAKick, FinishesLater, Polls, AnnouncesSuspend,
    ],
    ids=lambda odd: odd.__name__,
)  # fmt: skip
def test_what_is_odd_and_allowed_is_not_called_broken(odd: object, kind: str) -> None:
    if isinstance(odd, type):
        run = judge(f"emulated:{kind}", behaviour=odd, strict=True)
    else:
        run = judge(f"emulated:{kind}", tamper=odd, strict=True)  # type: ignore[arg-type]
    assert with_verdict(run, "FAIL", "WARN", "ERROR") == set()
    assert run.status == 0
    assert not run.stopped


@pytest.mark.parametrize(("kind", "broken"), [("rng", {"N1", "N5"}), ("blk", {"N1", "N3", "N5", "P23"})])
def test_one_whose_isr_shows_nothing_breaks_what_is_said_of_isr_and_no_more(kind: str, broken: set[str]) -> None:
    run = judge(f"emulated:{kind}", tamper=silent_isr)
    assert with_verdict(run, "FAIL", "WARN", "ERROR") == broken
    assert not run.stopped


@pytest.mark.parametrize(
    "parameter", ["instant=on", "intx=off", "both_isr=on", "queue_size=2", "depth=1", "latency=3", "delay=4"]
)
def test_what_can_be_chosen_about_a_conforming_device_never_makes_it_fail(parameter: str) -> None:
    run = judge(f"emulated:rng?{parameter}", strict=True)
    assert with_verdict(run, "FAIL", "WARN", "ERROR") == set()
    assert words(run)["V8"] == words(run)["V9"] == words(run)["V16"] == "PASS"


def test_a_device_that_answers_within_the_kick_had_nothing_in_flight_unless_the_host_delays_it() -> None:
    def no_triggers(bus: EmulatedBus) -> None:
        bus.triggers = None  # type: ignore[assignment]

    run = judge("emulated:rng?instant=on", tamper=no_triggers)
    assert words(run)["V11"] == words(run)["V12"] == "SKIP"
    assert "nothing was in flight" in results(run)["V11"].finding.summary
    assert words(judge("emulated:rng?instant=on"))["V11"] == "PASS"


def test_without_a_telling_isr_what_rests_on_it_is_skipped_and_never_passed() -> None:
    for tamper in (silent_isr, always_both_bits):
        run = judge("emulated:blk", tamper=tamper, interrupts="intx")
        assert {words(run)[id_] for id_ in ("V3", "V12")} == {"SKIP"}
    run = judge("emulated:blk", tamper=silent_isr, interrupts="intx")
    assert {words(run)[id_] for id_ in ("V6", "V7", "V14")} == {"SKIP"}


def test_where_isr_tells_nothing_messages_tell_it() -> None:
    run = judge("emulated:blk?size=1M", tamper=silent_isr)
    assert {words(run)[id_] for id_ in ("V3", "V6", "V7", "V12", "V14")} == {"PASS"}


def test_without_a_trigger_an_unchanged_configuration_proves_nothing() -> None:
    def no_triggers(bus: EmulatedBus) -> None:
        bus.triggers = None  # type: ignore[assignment]

    run = judge("emulated:blk", tamper=no_triggers)
    assert {words(run)[id_] for id_ in ("V5", "V6", "V7")} == {"SKIP"}
    assert "trigger" in results(run)["V7"].finding.summary


def test_all_ones_before_the_resume_are_not_taken_for_a_failure_in_the_suspend() -> None:
    run = judge("emulated:rng?profile=refuses-resume", tamper=status_too_is_all_ones_once_asleep, only="V9")
    assert (words(run)["V9"], results(run)["V9"].finding.summary[:8]) == ("PASS", "refused:")


def test_whether_a_kick_is_needed_after_resume_is_information() -> None:
    summary = results(judge("emulated:rng", behaviour=NeedsAKick))["I5"].finding.summary
    left, waiting = re.findall(r"\d+", summary)
    assert left == waiting != "0", "waiting without a notification must not notify"
    assert "only after a new notification" in summary
    assert "without a new notification" in results(judge("emulated:rng"))["I5"].finding.summary


def test_offering_both_suspend_bits_is_reported_and_virtio_1_4_is_judged() -> None:
    run = judge("emulated:rng?features=+42")
    assert run.dialect is not None
    assert run.dialect.name == "1.4"
    assert any("both bit 43" in remark for remark in run.remarks)


# -- wrong -----------------------------------------------------------------------------------------------------------


class Restless(Behaviour):
    """Base of devices that do something wrong regularly while suspended."""

    restless = True


class Scribbles(Restless):
    """Writes into a buffer that it has not used."""

    def misbehave(self) -> None:
        for queue in self.device.queues:
            for request in queue.in_process:
                request.chain.write(b"\x77")

    def drained(self) -> bool:
        return True


class TouchesUsedFlags(Restless):
    """Writes the flags of the used ring."""

    def misbehave(self) -> None:
        ring = self.device.queues[0].ring
        self.device.memory.store16(self.device.queues[0].addresses[2], 1 if ring else 0)


class WakesUp(Behaviour):
    """Resumes without having been asked."""

    def present_suspended(self) -> None:
        super().present_suspended()
        self.device.clock.call_at(self.device.clock.now() + 0.05, self._wake)

    def _wake(self) -> None:
        if self.phase is Phase.SUSPENDED:
            self.begin_resume()


class LosesWaiting(Behaviour):
    """Skips what waited in the rings while it was suspended."""

    def finish_resume(self) -> None:
        for queue in self.device.queues:
            if queue.ring is not None:
                while queue.ring.pop() is not None:
                    pass
        super().finish_resume()


class LosesInFlight(Behaviour):
    """Forgets the requests in process instead of finishing them."""

    def begin_suspend(self) -> None:
        for queue in self.device.queues:
            queue.drop()
        super().begin_suspend()


class CountsFromReset(Behaviour):
    """``count`` is for the suspends since the last reset."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.count = 0

    def reset(self) -> None:
        self.count = 0
        super().reset()


class ForgetsFromTheSeventh(CountsFromReset):
    """Loses the requests in process from the seventh suspend after a reset on."""

    def begin_suspend(self) -> None:
        self.count += 1
        if self.count >= 7:
            for queue in self.device.queues:
                queue.drop()
        super().begin_suspend()


class RunsForAMoment(Behaviour):
    """Shows itself running and falls back to suspended."""

    def finish_resume(self) -> None:
        super().finish_resume()
        self._event = self.device.clock.call_at(self.device.clock.now() + 1e-3, self._relapse)

    def _relapse(self) -> None:
        if self.phase is Phase.RUNNING:
            self.present_suspended()


class GoesQuiet(Behaviour):
    """Works on after a resume, and notifies nothing any more."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.quiet = False

    def reset(self) -> None:
        self.quiet = False
        super().reset()

    def finish_resume(self) -> None:
        self.quiet = True
        super().finish_resume()

    def may_notify_queue(self) -> bool:
        return super().may_notify_queue() and not self.quiet


class HangsTheSecondTime(CountsFromReset):
    """Suspends once after a reset, and never again."""

    def begin_suspend(self) -> None:
        self.count += 1
        if self.count == 1:
            super().begin_suspend()


class IgnoresReset(Behaviour):
    """Takes no reset while suspended."""

    def reset_written(self) -> None:
        if self.phase is not Phase.SUSPENDED:
            super().reset_written()


class NeverResets(IgnoresReset):
    """Takes no reset while suspended, and cannot resume."""

    def begin_resume(self) -> None:
        self.device.log.event("resume ignored")


class LosesTheChange(Behaviour):
    """A configuration change while suspended never comes about."""

    def present_suspended(self) -> None:
        super().present_suspended()
        self.device._deferred.clear()

    def finish_resume(self) -> None:
        self.device._deferred.clear()
        super().finish_resume()


class NeedsResetWhileAsleep(Behaviour):
    """Breaks down while suspended."""

    def present_suspended(self) -> None:
        super().present_suspended()
        self.device.clock.call_at(self.device.clock.now() + 0.01, lambda: self.fail("broke down"))


class LateToShow(Behaviour):
    """Takes SUSPEND before DRIVER_OK, and shows it only a while later."""

    def suspend_ignored(self) -> None:
        if self.phase is Phase.INITIAL and self.device.status & Status.FEATURES_OK:
            self.device.clock.call_at(self.device.clock.now() + 0.1, self._show)

    def _show(self) -> None:
        if self.phase is Phase.INITIAL and self.device.status:
            self.device.status |= Status.SUSPEND


@pytest.mark.parametrize("kind", ["rng", "blk"])
@pytest.mark.parametrize(
    ("wrong", "broken"),
    [
        (Scribbles, "V4"), (TouchesUsedFlags, "V4"), (WakesUp, "V8"), (LosesWaiting, "V16"), (LosesInFlight, "V16"),
        (LosesInFlight, "V11"), (RunsForAMoment, "V9"), (GoesQuiet, "V9"), (GoesQuiet, "S1"), (HangsTheSecondTime, "V16"), (HangsTheSecondTime, "S1"), (IgnoresReset, "V15"), (LateToShow, "V1"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)  # fmt: skip
def test_what_is_wrong_is_found(wrong: type[Behaviour], broken: str, kind: str) -> None:
    run = judge(f"emulated:{kind}", behaviour=wrong, strict=True, only=f"V8,V9,{broken}")
    assert broken in with_verdict(run, "FAIL")
    assert run.status == 1


class OffersLess(Behaviour):
    """Offers INDIRECT_DESC no longer once it has been suspended."""

    def finish_resume(self) -> None:
        self.device.offered &= ~(1 << Feature.INDIRECT_DESC)
        super().finish_resume()


class Shrinks(Behaviour):
    """Has smaller queues once it has been suspended."""

    def finish_resume(self) -> None:
        for queue in self.device.queues:
            queue.maximum = 64
        super().finish_resume()


class ChangesSilently(Behaviour):
    """Changes its configuration on resume and tells nobody."""

    def finish_resume(self) -> None:
        change = self.device.model.disturb()
        assert change is not None
        self.device._apply(change)
        super().finish_resume()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (OffersLess, "offered features"),
        (Shrinks, "largest size of queue 0: 256 -> 64"),
        (ChangesSilently, "topology.opt_io_size"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_device_that_is_not_the_same_afterwards_is_found(wrong: type[Behaviour], said: str) -> None:
    run = judge("emulated:blk", behaviour=wrong, only="V9,S2")
    assert words(run)["S2"] == "FAIL"
    assert said in results(run)["S2"].finding.observed


def test_features_that_do_not_negotiate_again_after_a_reset_are_a_warning() -> None:
    class Sulks(Behaviour):
        sulking = False

        def reset_written(self) -> None:
            Sulks.sulking = Sulks.sulking or self.phase is Phase.SUSPENDED
            super().reset_written()

    def sulky(bus: EmulatedBus) -> None:
        device = bus.function.device
        device.behaviour = Sulks(device, 0.0)
        acceptable = device.features_acceptable
        device.features_acceptable = lambda: not Sulks.sulking and acceptable()  # type: ignore[method-assign]

    run = judge("emulated:rng", tamper=sulky, only="V15")
    assert words(run) == {"V15": "WARN"}
    assert "do not negotiate again" in results(run)["V15"].finding.summary


def test_a_change_that_is_lost_altogether_is_found() -> None:
    run = judge("emulated:blk", behaviour=LosesTheChange, only="V7")
    assert words(run) == {"V7": "FAIL"}
    assert "lost as well" in results(run)["V7"].finding.observed


@pytest.mark.parametrize("strict", [False, True])
def test_a_device_that_breaks_down_while_suspended_has_not_failed_to_suspend(strict: bool) -> None:
    assert words(judge("emulated:rng", behaviour=NeedsResetWhileAsleep, strict=strict, only="V8")) == {"V8": "WARN"}


def test_a_device_that_stores_the_byte_and_offers_the_feature_passes_nothing_that_needs_a_suspend() -> None:
    run = judge("emulated:blk?profile=qemu-store&features=+43")
    assert words(run)["V1"] == words(run)["V8"] == "FAIL"
    assert "within 10 s" in results(run)["V8"].finding.summary
    assert with_verdict(run, "PASS") & set(CHAPTERS["suspend"]) <= {"V13", "V14", "D1", "D2", "D3", "D4", "D5", "D7"}


def test_one_that_ignores_a_reset_is_brought_back_and_the_run_goes_on() -> None:
    run = judge("emulated:rng", behaviour=IgnoresReset)
    assert with_verdict(run, "FAIL", "ERROR") == {"V15"}
    assert not run.stopped


def test_one_that_cannot_be_brought_back_stops_the_run_with_the_reason() -> None:
    run = judge("emulated:rng", behaviour=NeverResets)
    assert "could not be brought back after" in run.stopped
    assert run.status == 1
    assert words(run)["V8"] == "PASS"  # what was known before is kept
    assert "not run" in results(run)["S1"].finding.summary


def test_one_that_never_answers_stops_the_run_early() -> None:
    class Dead(Behaviour):
        def may_consume(self) -> bool:
            return False

    run = judge("emulated:rng", behaviour=Dead)
    assert "ordinary work" in run.stopped
    assert with_verdict(run, "PASS", "FAIL") & set(CHAPTERS["suspend"]) == set()
    assert run.status == 1


def test_one_that_takes_no_features_stops_the_run_early() -> None:
    def choosy(bus: EmulatedBus) -> None:
        bus.function.device.features_acceptable = lambda: False  # type: ignore[method-assign]

    run = judge("emulated:rng", tamper=choosy)
    assert "FEATURES_OK" in run.stopped
    assert run.status == 1


def test_one_that_is_removed_in_the_middle_stops_the_run() -> None:
    def removable(bus: EmulatedBus) -> None:
        gone = lambda: bus.clock.now() > 0.4  # noqa: E731
        on_read(bus, lambda offset, width, proceed: (1 << 8 * width) - 1 if gone() else proceed())
        inner = bus.function.config_read
        bus.function.config_read = lambda offset, width: (1 << 8 * width) - 1 if gone() else inner(offset, width)  # type: ignore[method-assign]
        bus.config = type(bus.config).calls(bus.function.config_read, bus.function.config_write, 4096)

    run = judge("emulated:rng", tamper=removable)
    assert "went away" in run.stopped
    assert run.status == 1


def test_a_failing_stress_run_names_its_seed_and_the_shortest_sequence_that_fails_again() -> None:
    run = judge("emulated:rng", behaviour=ForgetsFromTheSeventh, only="S1", cycles=40, seed=5)
    finding = results(run)["S1"].finding
    assert finding.verdict.value == "FAIL"
    assert finding.evidence["seed"] == 5
    shortest = finding.evidence["shortest"]
    assert isinstance(shortest, list)
    assert 7 <= len(shortest) <= int(str(finding.evidence["cycle"]))
