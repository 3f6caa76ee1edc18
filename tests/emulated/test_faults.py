"""Each fault breaks its own duty. What it must not break is held by the same observations on the conforming device."""

from __future__ import annotations

import pytest

from uvirtio.emulated.faults import FAULTS

from .raw import SUSPEND_14, SUSPEND_CHROMIUM, SUSPEND_RFC, Raw, RawQueue


def ready(fault: str, extra: str = "", bit: int = SUSPEND_14) -> tuple[Raw, RawQueue]:
    query = "&".join(filter(None, (f"fault={fault}" if fault else "", extra)))
    raw = Raw(f"emulated:rng?{query}" if query else "emulated:rng")
    return raw, raw.bring_up(bit)


def suspended(raw: Raw) -> bool:
    raw.set_status(0x1F)
    return raw.until(lambda: raw.status() == 0x1B)


def resumed(raw: Raw, value: int = 0x1F) -> bool:
    raw.set_status(value)
    return raw.until(lambda: raw.status() == 0x0F)


def takes_suspend_early(fault: str) -> bool:
    raw = Raw(f"emulated:rng?fault={fault}" if fault else "emulated:rng")
    raw.set_status(0x11)
    seen = bool(raw.status() & 0x10)
    queue = raw.bring_up(SUSPEND_14)
    raw.ask(queue)
    queue.kick()
    assert raw.until(lambda: queue.used_index() == 1)
    return seen


def takes_writes_suspended(fault: str) -> bool:
    raw, _ = ready(fault)
    assert suspended(raw)
    raw.bar.write(0x16, 2, 5)
    return raw.bar.read(0x16, 2) == 5


def notifies_suspended(fault: str) -> bool:
    raw, queue = ready(fault)
    raw.ask(queue)
    assert suspended(raw)
    raw.isr()
    raw.clock.sleep(0.2)
    return raw.isr() == 1


def touches_rings_suspended(fault: str) -> bool:
    raw, queue = ready(fault)
    assert suspended(raw)
    raw.ask(queue)
    before = queue.bytes()
    raw.clock.sleep(0.2)
    return queue.bytes() != before


def ignores_suspend(fault: str) -> bool:
    raw, _ = ready(fault)
    return not suspended(raw)


def ignores_resume(fault: str) -> bool:
    raw, _ = ready(fault)
    assert suspended(raw)
    return not resumed(raw)


def consumes_while_suspending(fault: str) -> bool:
    raw, queue = ready(fault, "latency=0.01&depth=1")
    raw.ask(queue)
    queue.kick()
    raw.ask(queue)
    assert suspended(raw)
    return queue.used_index() > 1


def leaves_buffers_half_done(fault: str) -> bool:
    raw, queue = ready(fault, "latency=0.01")
    _, memory = raw.ask(queue)
    queue.kick()
    assert suspended(raw)
    half = queue.used_index() == 0 and any(memory[:64])
    assert resumed(raw)
    queue.kick()
    assert raw.until(lambda: queue.used_index() == 1)
    return half


def notifies_late(fault: str) -> bool:
    raw, queue = ready(fault, "latency=0.01")
    raw.ask(queue)
    queue.kick()
    assert suspended(raw)
    late = queue.used_index() == 1 and raw.isr() == 0
    assert resumed(raw)
    return late and raw.isr() == 1


def consumes_before_driver_ok(fault: str) -> bool:
    raw = Raw(f"emulated:rng?fault={fault}" if fault else "emulated:rng")
    raw.negotiate(SUSPEND_14)
    queue = raw.enable()
    raw.ask(queue)
    raw.clock.sleep(0.2)
    return queue.used_index() == 1


def needs_reset_silently(fault: str) -> bool:
    raw, _ = ready(fault, "" if fault == "V14" else "profile=refuses")
    raw.set_status(0x1F)
    assert raw.status() == 0x4F
    raw.clock.sleep(0.2)
    return raw.isr() == 0


def survives_reset_suspended(fault: str) -> bool:
    raw, _ = ready(fault)
    assert suspended(raw)
    raw.set_status(0)
    assert raw.status() == 0
    broken = raw.r16(0x1C, select=0) == 1
    queue = raw.bring_up(SUSPEND_14)
    raw.ask(queue)
    queue.kick()
    assert raw.until(lambda: queue.used_index() == 1)
    return broken


def forgets_ring_indices(fault: str) -> bool:
    raw, queue = ready(fault)
    raw.ask(queue)
    queue.kick()
    assert raw.until(lambda: queue.used_index() == 1)
    assert suspended(raw)
    assert resumed(raw)
    raw.ask(queue)
    queue.kick()
    raw.clock.sleep(0.2)
    return queue.used_index() != 2 or bool(raw.faults())


OBSERVATIONS = {
    "V1": takes_suspend_early,
    "V2": takes_writes_suspended,
    "V3": notifies_suspended,
    "V4": touches_rings_suspended,
    "V8": ignores_suspend,
    "V9": ignores_resume,
    "V10": consumes_while_suspending,
    "V11": leaves_buffers_half_done,
    "V12": notifies_late,
    "V13": consumes_before_driver_ok,
    "V15": survives_reset_suspended,
    "V16": forgets_ring_indices,
}
#: What a fault cannot help breaking besides its own duty; V8 and V14 leave nothing to look at.
IMPLIED = {("V9", "V16"), ("V13", "V16")}
WITHOUT_SUSPEND = {"V8", "V14", "V14-msix"}


@pytest.mark.parametrize("duty", OBSERVATIONS)
def test_the_conforming_device_keeps_the_duty(duty: str) -> None:
    assert not OBSERVATIONS[duty]("")


@pytest.mark.parametrize("duty", OBSERVATIONS)
def test_the_fault_breaks_its_duty(duty: str) -> None:
    assert OBSERVATIONS[duty](duty)


@pytest.mark.parametrize(
    "fault", [name for name in FAULTS if name[0] == "V" and name.isalnum() and name not in WITHOUT_SUSPEND]
)
@pytest.mark.parametrize("duty", [name for name in OBSERVATIONS if name not in ("V8", "V9")])
def test_the_fault_breaks_no_other_duty(fault: str, duty: str) -> None:
    if fault == duty or fault == "V9":
        return
    assert not OBSERVATIONS[duty](fault)


def test_v14_sets_needs_reset_without_a_notification_and_the_conforming_device_notifies() -> None:
    assert needs_reset_silently("V14")
    assert not needs_reset_silently("")


def test_v9_resumes_when_suspend_is_cleared_instead() -> None:
    raw, queue = ready("V9")
    assert suspended(raw)
    assert resumed(raw, 0x0F)
    raw.ask(queue)
    queue.kick()
    assert raw.until(lambda: queue.used_index() == 1)


def test_faults_can_be_combined() -> None:
    assert takes_suspend_early("V1,V3")
    assert notifies_suspended("V1,V3")
    assert not touches_rings_suspended("V1,V3")


def test_r3_takes_suspend_before_features_ok() -> None:
    for fault, taken in (("", False), ("&fault=R3", True)):
        raw = Raw(f"emulated:rng?profile=rfc{fault}")
        raw.set_status(0x13)
        assert (raw.status() == 0x13) is taken
        raw.bring_up(SUSPEND_RFC)


def test_r4_suspends_without_the_feature() -> None:
    for fault, taken in (("", False), ("&fault=R4", True)):
        raw = Raw(f"emulated:rng?profile=rfc{fault}")
        raw.bring_up()
        raw.set_status(0x1F)
        assert (raw.status() == 0x1F) is taken


def test_r5_takes_no_status_write_but_reset() -> None:
    for fault, taken in (("", True), ("&fault=R5", False)):
        raw = Raw(f"emulated:rng?profile=rfc{fault}")
        raw.bring_up(SUSPEND_RFC)
        raw.set_status(0x1F)
        raw.set_status(0x9B)
        assert bool(raw.status() & 0x80) is taken
        raw.set_status(0)
        assert raw.status() == 0


def test_r6_stays_suspended_on_driver_ok() -> None:
    for fault, wakes in (("", True), ("&fault=R6", False)):
        raw = Raw(f"emulated:rng?profile=rfc{fault}")
        raw.bring_up(SUSPEND_RFC)
        raw.set_status(0x1F)
        raw.set_status(0x1F)
        raw.clock.sleep(1)
        assert (raw.status() == 0x0F) is wakes


def test_r7_goes_on_consuming() -> None:
    for fault, consumes in (("", False), ("&fault=R7", True)):
        raw = Raw(f"emulated:rng?profile=rfc{fault}")
        queue = raw.bring_up(SUSPEND_RFC)
        raw.set_status(0x1F)
        raw.ask(queue)
        raw.clock.sleep(0.2)
        assert (queue.used_index() == 1) is consumes


def test_c1_reads_0x1b_suspended() -> None:
    raw, _ = ready("C1", bit=SUSPEND_CHROMIUM)
    raw.set_status(0x1F)
    assert raw.status() == 0x1B
    raw.set_status(0x0F)
    assert raw.status() == 0x0F


def test_c2_does_not_resume_when_the_bit_is_cleared() -> None:
    raw, _ = ready("C2", bit=SUSPEND_CHROMIUM)
    raw.set_status(0x1F)
    raw.set_status(0x0F)
    raw.clock.sleep(1)
    assert raw.status() == 0x1F


def test_c3_interrupts_while_suspended() -> None:
    raw, queue = ready("C3", bit=SUSPEND_CHROMIUM)
    raw.set_status(0x1F)
    raw.ask(queue)
    queue.kick()
    raw.until(lambda: queue.used_index() == 1)
    assert raw.isr() == 1
