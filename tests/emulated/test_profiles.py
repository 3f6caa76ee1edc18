"""How each profile suspends and resumes, seen by raw register pokes."""

from __future__ import annotations

from .raw import SUSPEND_14, SUSPEND_CHROMIUM, SUSPEND_RFC, Raw, RawQueue


def ready(locator: str, bit: int = SUSPEND_14) -> tuple[Raw, RawQueue]:
    raw = Raw(locator)
    return raw, raw.bring_up(bit)


def suspend(raw: Raw) -> None:
    raw.set_status(0x1F)
    assert raw.until(lambda: raw.status() == 0x1B)


def resume(raw: Raw) -> None:
    raw.set_status(0x1F)
    assert raw.until(lambda: raw.status() == 0x0F)


def moves_data(raw: Raw, queue: RawQueue) -> bool:
    queue.used_entries()
    head, memory = raw.ask(queue)
    queue.kick()
    raw.until(lambda: queue.used_index() != queue.seen, 0.5)
    return queue.used_entries() == [(head, 64)] and any(memory[:64])


def test_the_default_finishes_what_is_in_process_notifies_and_then_shows_suspended() -> None:
    raw, queue = ready("emulated:rng?latency=0.01&depth=2")
    first, second, third = (raw.ask(queue)[0] for _ in range(3))
    queue.kick()
    raw.set_status(0x1F)
    assert raw.status() == 0x0F, "not finished while requests are in process"
    assert raw.until(lambda: raw.status() == 0x1B)
    assert [head for head, _ in queue.used_entries()] == [first, second]
    assert raw.isr() == 1, "notified before it showed suspended"
    before = queue.bytes()
    queue.kick()
    raw.clock.sleep(1)
    assert queue.bytes() == before
    assert raw.isr() == 0
    resume(raw)
    queue.kick()
    assert raw.until(lambda: queue.used_index() == 3)
    assert [head for head, _ in queue.used_entries()] == [third]


def test_suspend_is_ignored_at_every_stage_before_driver_ok() -> None:
    raw = Raw("emulated:rng")
    for prefix in (0x01, 0x03):
        raw.set_status(prefix | 0x10)
        assert raw.status() == prefix
    raw.accept(1 << 32 | 1 << 43)
    raw.set_status(0x0B)
    raw.set_status(0x1B)
    assert raw.status() == 0x0B
    queue = raw.enable()
    raw.set_status(0x0F)
    assert moves_data(raw, queue)


def test_suspend_is_ignored_when_it_was_not_negotiated() -> None:
    raw = Raw("emulated:rng")
    queue = raw.bring_up()
    raw.set_status(0x1F)
    raw.clock.sleep(1)
    assert raw.status() == 0x0F
    assert moves_data(raw, queue)


def test_a_repeated_write_before_the_suspend_is_finished_changes_nothing() -> None:
    raw, queue = ready("emulated:rng?latency=0.01")
    raw.ask(queue)
    queue.kick()
    raw.set_status(0x1F)
    raw.set_status(0x1F)
    assert raw.until(lambda: raw.status() == 0x1B)
    raw.clock.sleep(1)
    assert raw.status() == 0x1B


def test_common_configuration_writes_are_dropped_while_suspended() -> None:
    raw, _ = ready("emulated:rng")
    suspend(raw)
    raw.bar.write(0x16, 2, 5)
    assert raw.bar.read(0x16, 2) == 0
    resume(raw)
    raw.bar.write(0x16, 2, 5)
    assert raw.bar.read(0x16, 2) == 5


def test_a_reset_while_suspended_resets_everything() -> None:
    raw, _ = ready("emulated:rng")
    suspend(raw)
    raw.set_status(0)
    assert raw.status() == 0
    assert raw.r16(0x1C, select=0) == 0
    assert moves_data(raw, raw.bring_up(SUSPEND_14))


def test_a_hundred_cycles_lose_and_double_nothing() -> None:
    raw, queue = ready("emulated:rng?latency=0.002")
    sent: list[int] = []
    got: list[int] = []
    for cycle in range(100):
        sent += [raw.ask(queue, 16)[0] for _ in range(cycle % 7)]
        queue.kick()
        suspend(raw)
        raw.clock.sleep(0.02)
        resume(raw)
        queue.kick()
        assert raw.until(lambda: queue.used_index() == queue.avail_index)
        got += [head for head, _ in queue.used_entries()]
    assert sorted(got) == sorted(sent)
    assert raw.faults() == []


def test_slow_takes_a_second_each_way_and_shows_the_old_state_meanwhile() -> None:
    raw, queue = ready("emulated:rng?profile=slow")
    raw.set_status(0x1F)
    raw.clock.sleep(0.99)
    assert raw.status() == 0x0F
    raw.clock.sleep(0.02)
    assert raw.status() == 0x1B
    raw.set_status(0x1F)
    raw.clock.sleep(0.99)
    assert raw.status() == 0x1B
    raw.clock.sleep(0.02)
    assert raw.status() == 0x0F
    assert moves_data(raw, queue)


def test_slow_takes_the_delay_that_is_asked_for() -> None:
    raw, _ = ready("emulated:rng?profile=slow&delay=0.25")
    raw.set_status(0x1F)
    raw.clock.sleep(0.24)
    assert raw.status() == 0x0F
    raw.clock.sleep(0.02)
    assert raw.status() == 0x1B


def test_a_reset_in_the_middle_of_a_slow_suspend_holds() -> None:
    raw, _ = ready("emulated:rng?profile=slow")
    raw.set_status(0x1F)
    raw.clock.sleep(0.5)
    queue = raw.bring_up(SUSPEND_14)
    raw.clock.sleep(2)
    assert raw.status() == 0x0F
    assert moves_data(raw, queue)


def test_refuses_sets_needs_reset_and_notifies() -> None:
    raw, _ = ready("emulated:rng?profile=refuses")
    raw.set_status(0x1F)
    assert raw.status() == 0x4F
    assert raw.isr() == 2
    assert moves_data(raw, raw.bring_up(SUSPEND_14))


def test_refuses_resume_suspends_and_then_sets_needs_reset_and_notifies() -> None:
    raw, _ = ready("emulated:rng?profile=refuses-resume")
    suspend(raw)
    assert raw.isr() == 0
    raw.set_status(0x1F)
    assert raw.status() == 0x5B
    assert raw.isr() == 2
    raw.bring_up(SUSPEND_14)


def test_stuck_never_suspends_and_can_be_reset() -> None:
    raw, _ = ready("emulated:rng?profile=stuck")
    raw.set_status(0x1F)
    raw.clock.sleep(3600)
    assert raw.status() == 0x0F
    assert moves_data(raw, raw.bring_up(SUSPEND_14))


def test_stuck_resume_never_resumes_by_any_byte_and_can_be_reset() -> None:
    raw, _ = ready("emulated:rng?profile=stuck-resume")
    suspend(raw)
    for value in (0x1F, 0x0F):
        raw.set_status(value)
        raw.clock.sleep(3600)
        assert raw.status() == 0x1B
    assert moves_data(raw, raw.bring_up(SUSPEND_14))


def test_rfc_keeps_driver_ok_and_resumes_on_driver_ok() -> None:
    raw, queue = ready("emulated:rng?profile=rfc", SUSPEND_RFC)
    assert not raw.offered() >> SUSPEND_14 & 1
    raw.set_status(0x1F)
    assert raw.status() == 0x1F
    head, _ = raw.ask(queue)
    queue.kick()
    raw.clock.sleep(1)
    assert queue.used_entries() == []
    raw.set_status(0x1F)
    assert raw.status() == 0x0F
    assert raw.until(lambda: queue.used_index() == 1)
    assert queue.used_entries() == [(head, 64)]


def test_rfc_ignores_suspend_before_features_ok_and_takes_it_after() -> None:
    raw = Raw("emulated:rng?profile=rfc")
    raw.set_status(0x13)
    assert raw.status() == 0x03
    raw.negotiate(SUSPEND_RFC)
    raw.set_status(0x1B)
    assert raw.status() == 0x1B
    raw.set_status(0x1F)
    assert raw.status() == 0x0F


def test_crosvm_only_holds_interrupts_back() -> None:
    raw, queue = ready("emulated:rng?profile=crosvm", SUSPEND_CHROMIUM)
    raw.set_status(0x1F)
    assert raw.status() == 0x1F
    head, _ = raw.ask(queue)
    queue.kick()
    assert raw.until(lambda: queue.used_index() == 1)
    assert queue.used_entries() == [(head, 64)]
    assert raw.isr() == 0
    raw.bar.write(0x16, 2, 5)
    assert raw.bar.read(0x16, 2) == 5, "configuration writes land"
    raw.set_status(0x1F)
    assert raw.status() == 0x1F, "a resume in the manner of 1.4 does nothing"
    raw.set_status(0x0F)
    assert raw.status() == 0x0F
    assert raw.isr() == 1


def test_qemu_store_offers_nothing_and_stores_every_byte() -> None:
    raw = Raw("emulated:rng?profile=qemu-store")
    assert not raw.offered() >> 41 & 7
    raw.set_status(0x13)
    assert raw.status() == 0x13
    assert raw.negotiate(SUSPEND_14) == 0x0B, "FEATURES_OK although bit 43 was not offered"
    raw.bar.write(0x08, 4, 1)
    assert raw.bar.read(0x0C, 4) >> 11 & 1, "and driver_feature reads it back"
    queue = raw.enable()
    raw.set_status(0x0F)
    raw.set_status(0x1F)
    assert raw.status() == 0x1F
    assert moves_data(raw, queue), "it is not suspended"
    raw.set_status(0x0F)
    assert raw.status() == 0x0F


def test_qemu_rfc_2025_reads_zero_after_suspend() -> None:
    raw, _ = ready("emulated:rng?profile=qemu-rfc-2025")
    raw.set_status(0x1F)
    assert raw.status() == 0
    raw.bring_up(SUSPEND_14)


def test_qemu_rfc_2025_fixed_suspends_again_on_0x1f_and_resumes_on_0x0f() -> None:
    raw, queue = ready("emulated:rng?profile=qemu-rfc-2025-fixed")
    suspend(raw)
    raw.set_status(0x1F)
    raw.clock.sleep(1)
    assert raw.status() == 0x1B
    raw.set_status(0x0F)
    assert raw.status() == 0x0F
    assert moves_data(raw, queue)
