"""The life of a device and its suspend, against devices that answer strangely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.unit.device.scripted import PLAIN, Scripted, conforming, store
from uvirtio.access.trace import Access, Recorder
from uvirtio.device import Device
from uvirtio.errors import (
    CannotRun,
    DeviceGone,
    DeviceMisbehaved,
    DeviceNeedsReset,
    DeviceTimeout,
    DriverMisuse,
    NegotiationFailed,
    NotOffered,
    SuspendedError,
    UsageError,
)
from uvirtio.spec.dialects import CHROMIUM, RFC, V1_4
from uvirtio.spec.features import Features
from uvirtio.status import Phase
from uvirtio.suspend import Outcome, Suspender, choose_dialect

SUSPEND = Features.of(43)


def running(function: Scripted, wanted: Features = SUSPEND, *, timeout: float = 2.0) -> Device:
    device = Device(function, recorder=Recorder(function.clock), timeout=timeout)
    device.initialise(wanted)
    return device


def test_initialisation_follows_the_specified_order_and_only_adds_bits() -> None:
    function = Scripted()
    device = running(function)
    assert function.writes == [0, 1, 3, 0x0B, 0x0F]
    assert function.accepted == 1 << 32 | 1 << 43
    assert device.phase is Phase.RUNNING


def test_reset_waits_until_the_status_reads_zero() -> None:
    def slow(device: Scripted, value: int) -> None:
        if value == 0:
            device.clock.call_at(device.clock.now() + 0.7, lambda: store(device, 0))
        else:
            store(device, value)

    function = Scripted(answer=slow)
    function.status = 0x0F
    device = Device(function, timeout=2.0)
    polled = device.reset()
    assert polled.value == 0
    assert polled.after <= 0.7 <= polled.seconds
    assert function.mastering_at == [0], "only a device that has been reset may reach memory"


def test_a_device_that_never_resets_is_named_with_its_last_status() -> None:
    function = Scripted(answer=lambda _device, _value: None)
    function.status = 0x4F
    with pytest.raises(DeviceTimeout, match=r"0x4f \(.*DEVICE_NEEDS_RESET.*does not reset") as caught:
        Device(function, timeout=1.0).reset()
    assert caught.value.value == 0x4F
    assert function.mastering_at == [], "what an earlier driver has left could write anywhere"


def test_refused_features_set_failed_name_the_masks_and_reset() -> None:
    def refuse(device: Scripted, value: int) -> None:
        store(device, value & ~8)

    function = Scripted(answer=refuse)
    device = Device(function)
    with pytest.raises(NegotiationFailed, match="offered 0x0000080100000000, accepted 0x0000080100000000"):
        device.initialise(SUSPEND)
    assert function.writes == [0, 1, 3, 0x0B, 0x8B, 0]


def test_a_device_without_version_1_is_refused_after_failed_and_reset() -> None:
    function = Scripted(features=0)
    with pytest.raises(NegotiationFailed, match="bits 32 are required"):
        Device(function).initialise(Features())
    assert function.writes[-2:] == [0x83, 0]


def test_clearing_a_status_bit_is_refused() -> None:
    device = running(Scripted())
    with pytest.raises(DriverMisuse, match="clears bits"):
        device.status.write(0x0B)


@pytest.mark.parametrize("size", [3, 0x9000])
def test_an_impossible_queue_size_is_named(size: int) -> None:
    function = Scripted()
    function.queue_size = size
    with pytest.raises(DeviceMisbehaved, match="queue 0 has size"):
        running(function)


def test_a_suspend_writes_once_and_then_only_reads() -> None:
    function = Scripted(answer=conforming(0.3))
    device = running(function)
    function.writes.clear()
    suspender = Suspender(device, V1_4, timeout=2.0)
    down = suspender.suspend()
    assert function.writes == [0x1F]
    assert down.outcome is Outcome.DONE
    assert down.after <= 0.3 <= down.seconds
    up = suspender.resume()
    assert function.writes == [0x1F, 0x1F]
    assert up.status == 0x0F
    assert not up.remarks
    suspender.suspend()
    assert function.writes == [0x1F, 0x1F, 0x1F]


def test_a_device_that_merely_stores_the_byte_is_not_suspended() -> None:
    function = Scripted()
    device = running(function)
    suspender = Suspender(device, V1_4, timeout=1.0)
    with pytest.raises(DeviceTimeout, match=r"0x1f .*expected SUSPEND=1 and DRIVER_OK=0.*has been reset"):
        suspender.suspend()
    assert function.writes[-1] == 0
    assert suspender.last is not None
    assert suspender.last.outcome is Outcome.TIMED_OUT


def test_a_refusal_is_named_and_the_device_is_reset() -> None:
    def refuse(device: Scripted, value: int) -> None:
        store(device, value | 0x40 if value & 0x10 else value)

    function = Scripted(answer=refuse)
    with pytest.raises(DeviceNeedsReset, match=r"answered suspend with DEVICE_NEEDS_RESET.*has been reset"):
        Suspender(running(function), V1_4).suspend()
    assert function.status == 0


def test_a_device_that_resumes_only_by_0x0f_is_resumed_and_told_on() -> None:
    def odd(device: Scripted, value: int) -> None:
        store(device, 0x1B if value & 0x10 and device.status & 4 else device.status if value & 0x10 else value)

    function = Scripted(answer=odd)
    device = running(function)
    suspender = Suspender(device, V1_4, timeout=0.5)
    suspender.suspend()
    up = suspender.resume()
    assert up.done
    assert up.written == (0x1F, 0x0F)
    assert "which no driver may write" in up.remarks[-1]
    assert device.recorder is not None
    deviating = [event for event in device.recorder.events if isinstance(event, Access) and event.deviation]
    assert [event.value for event in deviating] == [0x0F]


def test_features_ok_gone_while_suspended_is_accepted_and_remarked_and_resume_clears_nothing() -> None:
    def odd(device: Scripted, value: int) -> None:
        if value & 0x10:
            store(device, 0x13 if device.status & 4 else 0x0F)
        else:
            store(device, value)

    function = Scripted(answer=odd)
    suspender = Suspender(running(function), V1_4)
    assert "0x13" in suspender.suspend().remarks[0]
    suspender.resume()
    assert function.writes[-1] == 0x1F


def test_all_ones_while_configuration_space_answers_is_busy_until_it_is_over() -> None:
    def busy(device: Scripted, value: int) -> None:
        if value & 0x10 and device.status & 4:
            device.status = 0xFF
            device.clock.call_at(device.clock.now() + 0.5, lambda: setattr(device, "status", 0x1B))
        else:
            store(device, value)

    transition = Suspender(running(Scripted(answer=busy)), V1_4).suspend()
    assert transition.after <= 0.5 <= transition.seconds


def test_all_ones_for_ever_while_configuration_space_answers_is_not_in_time() -> None:
    def vanish(device: Scripted, value: int) -> None:
        store(device, 0xFF if value & 0x10 else value)

    function = Scripted(answer=vanish)
    device = running(function)
    with pytest.raises(DeviceTimeout, match="status 0xff \\(all-ones: absent or busy\\)"):
        Suspender(device, V1_4, timeout=1.0).suspend()
    assert function.clock.now() < 5


def test_a_device_that_left_the_bus_is_gone_at_once() -> None:
    def unplug(device: Scripted, value: int) -> None:
        store(device, value)
        device.gone = bool(value & 0x10)

    function = Scripted(answer=unplug)
    device = running(function)
    before = function.clock.now()
    suspender = Suspender(device, V1_4, timeout=10.0)
    with pytest.raises(DeviceGone, match="went away during suspend"):
        suspender.suspend()
    assert function.clock.now() - before < 0.1
    device.close()
    assert function.closed == 1


def test_a_removed_device_whose_registers_read_zero_is_not_taken_for_a_reset_one() -> None:
    function = Scripted(answer=conforming())
    device = running(function)
    function.gone, function.gone_reads = True, 0
    with pytest.raises(DeviceGone, match="status reads 0 and configuration space all-ones"):
        device.reset()


def test_nothing_is_added_notified_or_written_while_suspended() -> None:
    function = Scripted(answer=conforming())
    device = running(function)
    buffer = function.dma.allocate(64)
    Suspender(device, V1_4).suspend()
    queue = device.queue(0)
    with pytest.raises(SuspendedError, match="D3"):
        queue.add((), (buffer,))
    with pytest.raises(SuspendedError, match="D4"):
        queue.kick()
    with pytest.raises(SuspendedError, match="D5"):
        device.configuration.write(0, 1, 0)
    with device.deviating("D4", "to see whether it listens"):
        queue.kick()
    assert function.notified == [0]
    with pytest.raises(SuspendedError):
        queue.kick()


def test_queues_with_outstanding_buffers_are_kicked_after_resume_and_others_are_not() -> None:
    function = Scripted(answer=conforming())
    device = running(function)
    suspender = Suspender(device, V1_4)
    suspender.suspend()
    suspender.resume()
    assert function.notified == []
    device.queue(0).add((), (function.dma.allocate(64),))
    device.queue(0).publish(notify=False)
    suspender.suspend()
    suspender.resume()
    assert function.notified == [0]


@pytest.mark.parametrize("prepare", [lambda device: device.begin(), lambda device: device.initialise(Features())])
def test_suspend_without_driver_ok_or_without_the_feature_is_refused(prepare: Callable[[Device], object]) -> None:
    function = Scripted()
    device = Device(function)
    prepare(device)
    with pytest.raises(DriverMisuse, match="D1"):
        Suspender(device, V1_4).suspend()
    assert not any(value & 0x10 for value in function.writes)


def test_the_chromium_dialect_resumes_by_clearing_the_bit() -> None:
    function = Scripted(features=1 << 32 | 1 << 42)
    device = running(function, Features.of(42))
    suspender = Suspender(device, CHROMIUM)
    assert suspender.suspend().status == 0x1F
    assert suspender.resume().status == 0x0F
    assert function.writes[-2:] == [0x1F, 0x0F]


@pytest.mark.parametrize(
    ("word", "offered", "expected"),
    [("auto", (43,), V1_4), ("auto", (42,), CHROMIUM), ("auto", (42, 43), V1_4), ("auto", (41, 42), CHROMIUM), ("rfc", (41,), RFC),
     ("chromium", (42, 43), CHROMIUM)],
)  # fmt: skip
def test_the_dialect_goes_by_what_is_offered(word: str, offered: tuple[int, ...], expected: object) -> None:
    assert choose_dialect(word, Features.of(32, *offered), 4)[0] is expected


def test_offering_both_bits_is_remarked() -> None:
    assert "both bit 43" in choose_dialect("auto", Features.of(42, 43), 4)[1][0]


@pytest.mark.parametrize(
    ("word", "offered", "words"),
    [("auto", (32,), "does not offer SUSPEND"), ("auto", (32, 41), "use --dialect rfc"), ("1.4", (32, 42), "try --dialect chromium"),
     ("rfc", (32,), "bit 41"), ("chromium", (32, 43), "try --dialect 1.4")],
)  # fmt: skip
def test_what_is_not_offered_is_not_judged(word: str, offered: tuple[int, ...], words: str) -> None:
    with pytest.raises(NotOffered, match=words):
        choose_dialect(word, Features.of(*offered), 4)


def test_an_unknown_dialect_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="there is no dialect"):
        choose_dialect("1.5", Features(), 4)


def test_bit_42_of_a_legacy_network_device_is_not_suspend() -> None:
    with pytest.raises(NotOffered):
        choose_dialect("auto", Features.of(42), 1, legacy=True)


def test_isr_is_given_to_one_owner_alone() -> None:
    device = Device(Scripted())
    with pytest.raises(DriverMisuse, match="read by one owner alone"):
        device.transport.take_isr()


def test_physical_addresses_are_not_given_to_a_device_behind_an_iommu_that_translates() -> None:
    function = Scripted(features=1 << 32 | 1 << 33)
    function.surroundings = replace(PLAIN, translated=True)
    device = Device(function)
    device.begin()
    with pytest.raises(CannotRun, match="IOMMU"):
        device.negotiate(Features())


def test_addresses_of_the_iommu_alone_are_not_given_to_a_device_that_may_go_past_it() -> None:
    function = Scripted(features=1 << 32 | 1 << 33)
    function.surroundings = replace(PLAIN, mapped=True)
    device = Device(function)
    device.begin()
    with pytest.raises(CannotRun, match="may go past the IOMMU"):
        device.negotiate(Features(), without=Features.of(33))
