"""The emulated device before anybody suspends it: registers, rings, interrupts, configuration space."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from uvirtio.errors import LocatorError

from .raw import COMMON, DEVICE, ISR, NOTIFY, STATUS, Raw


def test_status_bits_are_added_one_by_one_and_zero_resets() -> None:
    raw = Raw("emulated:rng")
    for value in (1, 3):
        raw.set_status(value)
        assert raw.status() == value
    raw.accept(1 << 32)
    raw.set_status(0x0B)
    assert raw.status() == 0x0B
    raw.set_status(0)
    assert raw.status() == 0


def test_features_that_were_not_offered_lose_features_ok() -> None:
    raw = Raw("emulated:rng")
    assert raw.negotiate(50) == 0x03


def test_features_without_version_1_lose_features_ok() -> None:
    raw = Raw("emulated:rng")
    raw.set_status(3)
    raw.accept(0)
    raw.set_status(0x0B)
    assert raw.status() == 0x03


def test_a_feature_without_the_one_it_needs_loses_features_ok() -> None:
    raw = Raw("emulated:rng?features=-VERSION_1")
    raw.set_status(3)
    raw.accept(1 << 43)
    raw.set_status(0x0B)
    assert raw.status() == 0x03


def test_offered_features_show_only_in_the_selected_word() -> None:
    raw = Raw("emulated:rng?features=-EVENT_IDX,+0x1")
    mask = raw.offered()
    assert mask >> 43 & 1
    assert mask >> 32 & 1
    assert mask & 1
    assert not mask >> 29 & 1
    raw.bar.write(0x00, 4, 7)
    assert raw.bar.read(0x04, 4) == 0


def test_random_bytes_come_back_after_the_latency_and_not_before() -> None:
    raw = Raw("emulated:rng?latency=0.01")
    queue = raw.bring_up()
    head, memory = raw.ask(queue, 64)
    queue.kick()
    assert queue.used_entries() == []
    raw.clock.sleep(0.009)
    assert queue.used_entries() == []
    raw.clock.sleep(0.002)
    assert queue.used_entries() == [(head, 64)]
    assert len(set(memory[:64])) > 16
    assert raw.faults() == []


def test_a_seed_repeats_the_bytes() -> None:
    def draw(seed: int) -> bytes:
        raw = Raw(f"emulated:rng?seed={seed}&instant=on")
        queue = raw.bring_up()
        _, memory = raw.ask(queue, 32)
        queue.kick()
        return bytes(memory[:32])

    assert draw(7) == draw(7) != draw(8)


def test_an_instant_device_is_done_within_the_kick() -> None:
    raw = Raw("emulated:rng?instant=on")
    queue = raw.bring_up()
    head, _ = raw.ask(queue)
    queue.kick()
    assert queue.used_entries() == [(head, 64)]


def test_a_used_buffer_raises_isr_and_the_line_and_reading_isr_takes_them_back() -> None:
    raw = Raw("emulated:rng")
    queue = raw.bring_up()
    raw.ask(queue)
    queue.kick()
    line = raw.bus.line
    line.enable()
    assert line.wait(1.0)
    assert raw.bus.config.read(6, 2) & 8, "interrupt status in the PCI status register"
    assert raw.isr() == 1
    assert raw.isr() == 0
    assert not raw.bus.config.read(6, 2) & 8
    line.enable()
    before = line.count()
    assert not line.wait(0.1)
    assert line.count() == before


def test_the_line_is_not_delivered_while_interrupts_are_disabled_and_at_once_when_enabled() -> None:
    raw = Raw("emulated:rng")
    queue = raw.bring_up()
    raw.bus.config.write(4, 2, 0x0406)
    raw.ask(queue)
    queue.kick()
    assert not raw.bus.line.wait(0.1)
    raw.bus.line.enable()
    assert raw.bus.line.wait(0.0)


def test_no_interrupt_is_raised_when_the_driver_does_not_want_one() -> None:
    raw = Raw("emulated:rng")
    queue = raw.bring_up()
    queue.store16(queue.avail, 1)
    head, _ = raw.ask(queue)
    queue.kick()
    assert raw.until(lambda: queue.used_index() == 1)
    assert queue.used_entries() == [(head, 64)]
    assert raw.isr() == 0


def test_with_event_idx_only_the_asked_for_entry_interrupts() -> None:
    raw = Raw("emulated:rng?depth=1&latency=0.001")
    queue = raw.bring_up(29)
    queue.store16(queue.avail + 4 + 2 * queue.size, 1)  # used_event: tell me about the second
    for _ in range(3):
        raw.ask(queue)
    queue.kick()
    raw.until(lambda: queue.used_index() == 1)
    assert raw.isr() == 0
    raw.until(lambda: queue.used_index() == 2)
    assert raw.isr() == 1
    raw.until(lambda: queue.used_index() == 3)
    assert raw.isr() == 0


def test_an_intx_off_device_has_no_pin_and_still_sets_isr() -> None:
    raw = Raw("emulated:rng?intx=off")
    assert raw.bus.config.read(0x3D, 1) == 0
    assert not raw.bus.line.present
    queue = raw.bring_up()
    raw.ask(queue)
    queue.kick()
    raw.clock.sleep(0.1)
    assert raw.isr() == 1


def test_a_ring_goes_round_many_times() -> None:
    raw = Raw("emulated:rng?latency=1e-5")
    queue = raw.bring_up(size=8)
    address, _ = raw.buffer(16)
    for _ in range(8200):  # past 2^16
        heads = [queue.publish((address, 16, True)) for _ in range(8)]
        queue.kick()
        raw.until(lambda: (queue.used_index() - queue.seen) & 0xFFFF == 8)
        assert [head for head, _ in queue.used_entries()] == heads
    assert queue.avail_index == 8200 * 8 - 0x10000
    assert raw.faults() == []


def test_a_wrong_width_is_noted_and_a_wrong_write_dropped() -> None:
    raw = Raw("emulated:rng")
    raw.bar.write(0x14, 2, 0x0001)
    assert raw.status() == 0
    raw.bar.write(0x00, 2, 1)
    assert raw.bar.read(0x00, 4) == 0
    raw.set_status(1)
    assert raw.bar.read(0x14, 2) & 0xFF == 1
    assert len(raw.faults()) == 3


def test_a_read_of_isr_as_32_bits_is_noted() -> None:
    raw = Raw("emulated:rng")
    raw.bar.read(ISR, 4)
    assert len(raw.faults()) == 1


def test_registers_that_are_read_only_do_not_change() -> None:
    raw = Raw("emulated:rng")
    before = raw.bar.read(COMMON + 0x12, 2)
    raw.bar.write(COMMON + 0x12, 2, 55)
    assert raw.bar.read(COMMON + 0x12, 2) == before == 1
    assert raw.faults()


def test_a_queue_that_is_not_there_reads_zero() -> None:
    raw = Raw("emulated:rng")
    assert raw.r16(0x18, select=1) == 0
    assert raw.r16(0x18, select=0) == 256


def test_a_notification_with_the_wrong_value_is_not_taken() -> None:
    raw = Raw("emulated:rng?instant=on")
    queue = raw.bring_up()
    raw.ask(queue)
    raw.bar.write(NOTIFY + 4 * raw.r16(0x1E, select=0), 2, 3)
    assert queue.used_entries() == []
    assert raw.faults()


def test_a_kick_before_driver_ok_is_noted_and_nothing_is_consumed() -> None:
    raw = Raw("emulated:rng?instant=on")
    raw.negotiate()
    queue = raw.enable()
    head, _ = raw.ask(queue)
    queue.kick()
    assert queue.used_entries() == []
    assert raw.faults()
    raw.set_status(0x0F)
    queue.kick()
    assert queue.used_entries() == [(head, 64)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw, queue: queue.publish((0x10, 64, True)),
        lambda raw, queue: queue.store16(queue.avail + 2, 999),
        lambda raw, queue: (queue.store16(queue.avail + 4, 500), queue.store16(queue.avail + 2, 1)),
        lambda raw, queue: (
            queue.publish((0x1_2345_0000, 1, True), (0x1_2345_0000, 1, True)),
            queue.store16(14 + 16, 0),
            queue.store16(12 + 16, 3),
        ),
        lambda raw, queue: queue.publish((0x1_2345_0000, 1, True), (0x1_2345_0000, 1, False)),
    ],
    ids=["address", "index", "head", "loop", "order"],
)
def test_nonsense_in_a_ring_makes_the_device_need_a_reset(spoil: object) -> None:
    raw = Raw("emulated:rng?instant=on")
    queue = raw.bring_up()
    assert callable(spoil)
    spoil(raw, queue)
    queue.kick()
    assert raw.status() == 0x4F
    assert raw.isr() == 2
    raw.bring_up()


def test_memory_is_out_of_reach_without_the_bus_master_bit() -> None:
    raw = Raw("emulated:rng?instant=on")
    queue = raw.bring_up()
    raw.bus.config.write(4, 2, 2)
    raw.ask(queue)
    queue.kick()
    assert raw.status() & 0x40
    assert queue.used_entries() == []


def test_a_bar_reads_all_ones_while_memory_decoding_is_off() -> None:
    raw = Raw("emulated:rng")
    raw.bus.config.write(4, 2, 0)
    assert raw.status() == 0xFF
    raw.bus.config.write(4, 2, 2)
    assert raw.status() == 0


def test_only_the_command_bits_that_exist_can_be_set() -> None:
    raw = Raw("emulated:rng")
    raw.bus.config.write(4, 2, 0xFFFF)
    assert raw.bus.config.read(4, 2) == 0x0507


def test_a_bar_tells_its_size() -> None:
    raw = Raw("emulated:rng")
    raw.bus.config.write(0x20, 4, 0xFFFFFFFF)
    raw.bus.config.write(0x24, 4, 0xFFFFFFFF)
    assert raw.bus.config.read(0x20, 4) == 0xFFFFC00C
    assert raw.bus.config.read(0x24, 4) == 0xFFFFFFFF


def capabilities(raw: Raw) -> dict[tuple[int, int], int]:
    found = {}
    at = raw.bus.config.read(0x34, 1)
    while at:
        identifier = raw.bus.config.read(at, 1)
        found[identifier, raw.bus.config.read(at + 3, 1) if identifier == 9 else 0] = at
        at = raw.bus.config.read(at + 1, 1)
    return found


def test_all_virtio_capabilities_are_there_and_point_into_the_bar() -> None:
    found = capabilities(Raw("emulated:rng"))
    # An entropy device has no device configuration (5.4.4), so there is no such structure.
    assert {kind for identifier, kind in found if identifier == 9} == {1, 2, 3, 5}
    assert (0x11, 0) in found


def test_the_window_in_configuration_space_reaches_the_registers() -> None:
    raw = Raw("emulated:rng")
    window = capabilities(raw)[9, 5]
    config = raw.bus.config
    config.write(window + 4, 1, 4)
    config.write(window + 8, 4, STATUS)
    config.write(window + 12, 4, 1)
    config.write(window + 16, 1, 3)
    assert raw.status() == 3
    assert config.read(window + 16, 1) == 3
    config.write(window + 8, 4, 0x12)
    config.write(window + 12, 4, 2)
    assert config.read(window + 16, 2) == 1


def _with_messages(locator: str = "emulated:rng?instant=on") -> tuple[Raw, int, Callable[[], int]]:
    """A running device with MSI-X on, its queue on vector 1; where message control stands, and a look at the message."""
    raw = Raw(locator)
    config, table = raw.bus.config, raw.bus.bar(1)
    control = capabilities(raw)[0x11, 0] + 2
    config.write(control, 2, 0x8000)
    box = raw.bus.dma.allocate(8)
    for offset, value in enumerate((box.address & 0xFFFFFFFF, box.address >> 32, 0x1234, 0)):
        table.write(16 + 4 * offset, 4, value)
    raw.negotiate()
    queue = raw.enable()
    raw.bar.write(0x1A, 2, 1)
    raw.set_status(0x0F)

    def ask() -> int:
        box.memory[:4] = bytes(4)
        raw.ask(queue)
        queue.kick()
        return int.from_bytes(box.memory[:4], "little")

    return raw, control, ask


def test_a_vector_beyond_the_table_is_refused() -> None:
    raw, control, _ = _with_messages()
    assert raw.bus.config.read(control, 2) & 0x7FF == 1
    assert raw.bar.read(0x1A, 2) == 1
    raw.bar.write(0x1A, 2, 9)
    assert raw.bar.read(0x1A, 2) == 0xFFFF


def test_a_message_is_a_write_to_memory_and_isr_stays_0() -> None:
    raw, _, ask = _with_messages()
    assert ask() == 0x1234
    assert raw.isr() == 0


@pytest.mark.parametrize("how", ["entry", "function"])
def test_a_masked_message_is_pending_and_sent_once_it_may(how: str) -> None:
    raw, control, ask = _with_messages()
    table = raw.bus.bar(1)

    def put(mask: int) -> None:
        if how == "entry":
            table.write(28, 4, mask)
        else:
            raw.bus.config.write(control, 2, 0x8000 | mask << 14)

    put(1)
    assert ask() == 0
    assert table.read(0x800, 4) == 2
    assert raw.isr() == 0
    put(0)
    assert table.read(0x800, 4) == 0
    assert ask() == 0x1234


def test_what_is_pending_is_taken_back_by_a_reset_and_by_no_vector() -> None:
    raw, _, ask = _with_messages()
    table = raw.bus.bar(1)
    table.write(28, 4, 1)
    ask()
    raw.bar.write(0x1A, 2, 0xFFFF)
    assert table.read(0x800, 4) == 0
    raw.bar.write(0x1A, 2, 1)
    ask()
    assert table.read(0x800, 4) == 2
    raw.set_status(0)
    assert table.read(0x800, 4) == 0


def test_a_configuration_message_comes_with_its_bit_of_isr() -> None:
    raw, _, _ = _with_messages("emulated:blk?size=1M&instant=on")
    raw.bar.write(0x10, 2, 1)
    raw.bus.triggers.fire("change_config")
    assert raw.bus.function.log.events("message")
    assert raw.isr() == 2
    assert raw.isr() == 0


def test_a_device_without_configuration_reads_zeros_there() -> None:
    raw = Raw("emulated:rng")
    assert raw.bar.read(DEVICE, 4) == 0


@pytest.mark.parametrize(
    "locator",
    [
        "emulated:toaster",
        "emulated:rng?profil=rfc",
        "emulated:rng?profile=nonsense",
        "emulated:rng?fault=V99",
        "emulated:rng?profile=virtio-1.4&fault=C1",
        "emulated:rng?latency=-1",
        "emulated:rng?queue_size=100",
        "emulated:rng?features=EVENT_IDX",
        "emulated:rng?features=-EVENT",
        "emulated:rng?seed=x",
        "emulated:rng?instant=maybe",
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(locator: str) -> None:
    with pytest.raises(LocatorError):
        Raw(locator)


def test_features_cannot_be_accepted_after_features_ok() -> None:
    raw = Raw("emulated:rng")
    raw.negotiate(29)
    raw.accept(1 << 32)
    raw.bar.write(0x08, 4, 0)
    assert raw.bar.read(0x0C, 4) == 1 << 29
    assert len(raw.faults()) == 2


def test_version_1_is_insisted_on_unless_told_otherwise() -> None:
    for parameter, status in (("", 0x03), ("?insist=on", 0x03), ("?insist=off", 0x0B)):
        raw = Raw(f"emulated:rng{parameter}")
        raw.set_status(3)
        raw.accept(0)
        raw.set_status(0x0B)
        assert raw.status() == status, parameter


def test_a_device_that_does_not_insist_on_version_1_refuses_what_it_does_not_offer() -> None:
    raw = Raw("emulated:rng?insist=off")
    raw.set_status(3)
    raw.accept(1 << 23)
    raw.set_status(0x0B)
    assert raw.status() == 0x03
