"""The legacy interface: registers of exact width, what is not there, and when it is chosen."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.unit.device.scripted import PLAIN, Memory
from uvirtio.access.clock import SimulatedClock
from uvirtio.access.interrupt import NoLine
from uvirtio.access.trace import Access, Recorder
from uvirtio.access.view import Region
from uvirtio.device import Device
from uvirtio.errors import (
    CannotRun,
    ConfigurationUnstable,
    DeviceMisbehaved,
    DriverMisuse,
    NegotiationFailed,
    NotOffered,
    NotVirtio,
)
from uvirtio.spec.features import Feature, Features
from uvirtio.spec.ids import DeviceType
from uvirtio.suspend import choose_dialect

#: Byte offset and width of every register of the header, written down from the table in 4.1.4.10.
WIDTHS = {0x00: 4, 0x04: 4, 0x08: 4, 0x0C: 2, 0x0E: 2, 0x10: 2, 0x12: 1, 0x13: 1}
ACK, DRIVER, DRIVER_OK, FEATURES_OK = 1, 2, 4, 8


class Port:
    """A function with the legacy header in BAR 0 that complains of any access of another width.

    ``modern``: also a (broken) capability of the modern interface. ``msix``: with MSI-X enabled.
    """

    bus = "test"
    locator = "test:legacy"
    triggers = None
    surroundings = PLAIN
    notes = ()

    def __init__(self, *, device: int = 0x1005, size: int = 0x20, modern: bool = False, msix: bool = False) -> None:
        self.clock = SimulatedClock()
        self.line = NoLine(self.clock, "test")
        self.dma = Memory()
        self.start = 0x18 if msix else 0x14
        self.size = size
        self.features = 1 << 28 | 1 << 24
        self.accepted: int | None = None
        self.status = 0
        self.statuses: list[int] = []
        self.selected = 0
        self.sizes = {0: 1024, 1: 64}
        self.pages: dict[int, int] = {}
        self.keep_page = True
        self.notified: list[int] = []
        self.settings = bytearray(size)
        self.each_read: Callable[[], object] = lambda: None
        header = bytearray(256)
        struct.pack_into("<HHHH", header, 0, 0x1AF4, device, 0, 0x10)
        struct.pack_into("<H", header, 0x2E, 4)
        header[0x34] = 0x40
        struct.pack_into("<BBH", header, 0x40, 0x11, 0x50 if modern else 0, 0x8000 if msix else 0)
        if modern:
            # Common configuration in BAR 4, which is not there.
            struct.pack_into("<BBBBBBBBII", header, 0x50, 9, 0, 16, 1, 4, 0, 0, 0, 0, 0x38)
        self._header = header
        self.config = Region.calls(lambda at, width: int.from_bytes(header[at : at + width], "little"), _ignore, 256)

    def bar(self, number: int) -> Region:
        if number or not self.size:
            raise DeviceMisbehaved(f"no BAR {number}")
        return Region.calls(self._read, self._write, self.size)

    def _check(self, offset: int, width: int) -> None:
        if offset < self.start:
            assert WIDTHS.get(offset, 2) == width, f"an access of {width} bytes at {offset:#x}"

    def _read(self, offset: int, width: int) -> int:
        self._check(offset, width)
        if offset >= self.start:
            self.each_read()
            at = offset - self.start
            return int.from_bytes(self.settings[at : at + width], "little")
        values = {
            0x00: self.features, 0x08: self.pages.get(self.selected, 0), 0x0C: self.sizes.get(self.selected, 0),
            0x12: self.status, 0x13: 0,
        }  # fmt: skip
        return values[offset]

    def _write(self, offset: int, width: int, value: int) -> None:
        self._check(offset, width)
        if offset >= self.start:
            self.settings[offset - self.start : offset - self.start + width] = value.to_bytes(width, "little")
        elif offset == 0x04:
            self.accepted = value
        elif offset == 0x08 and self.keep_page:
            self.pages[self.selected] = value
        elif offset == 0x0E:
            self.selected = value
        elif offset == 0x10:
            self.notified.append(value)
        elif offset == 0x12:
            self.status = value
            self.statuses.append(value)

    def enable_bus_mastering(self) -> None:
        """Nothing here reaches memory."""

    def facts(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        """Nothing to undo."""

    def __enter__(self) -> Port:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ignore(*_: object) -> None:
    """A write that has no effect."""


def test_a_device_without_a_modern_interface_is_driven_through_the_legacy_one() -> None:
    port = Port()
    device = Device(port)
    assert device.transport.kind == "legacy"
    device.initialise(Features.of(Feature.INDIRECT_DESC, Feature.RING_PACKED, Feature.VERSION_1), (0, 1))
    assert port.statuses == [0, ACK, ACK | DRIVER, ACK | DRIVER | DRIVER_OK]
    assert not any(status & FEATURES_OK for status in port.statuses)
    assert port.accepted == 1 << 28


def test_a_legacy_queue_has_the_size_that_the_device_says_and_lies_on_a_page() -> None:
    port = Port()
    device = Device(port)
    device.initialise(Features(), {0: 16, 1: None})
    assert {index: queue.size for index, queue in device.queues.items()} == {0: 1024, 1: 64}
    for index, queue in device.queues.items():
        assert port.pages[index] * 4096 == queue.descriptor_address
        assert queue.driver_address == queue.descriptor_address + 16 * queue.size
        assert queue.device_address % 4096 == 0
        assert queue.device_address > queue.driver_address
    device.queue(1).kick()
    device.queue(0).kick()
    assert port.notified == [1, 0]
    assert device.transport.queue_count() == 2


def test_a_ring_address_that_the_device_does_not_keep_is_noticed() -> None:
    port = Port()
    port.keep_page = False
    device = Device(port)
    device.begin()
    device.negotiate(Features())
    with pytest.raises(DeviceMisbehaved, match="queue_address reads 0x0"):
        device.set_up_queue(0)


@pytest.mark.parametrize("msix", [False, True])
def test_the_configuration_moves_when_msix_is_enabled(msix: bool) -> None:
    port = Port(msix=msix, size=0x40)
    port.settings[:8] = b"\x01\x02\x03\x04\x05\x06\x07\x08"
    device = Device(port)
    assert device.transport.config_length == 0x40 - (0x18 if msix else 0x14)
    assert device.configuration.read(0, 4) == 0x04030201
    assert device.configuration.read(6, 2) == 0x0807
    device.configuration.write(5, 1, 0xAA)
    assert port.settings[5] == 0xAA
    with pytest.raises(DeviceMisbehaved, match="BAR 0 has"):
        device.configuration.read(device.transport.config_length - 2, 4)


def test_without_a_generation_the_configuration_is_read_until_it_holds_still() -> None:
    port = Port(size=0x1C)
    reads = 0

    def change() -> None:
        nonlocal reads
        reads += 1
        if reads <= 5:
            port.settings[4] = reads

    port.each_read = change
    device = Device(port)
    assert device.configuration.piece(0, 8)[4] == 5
    port.each_read = lambda: port.settings.__setitem__(0, port.settings[0] + 1 & 0xFF)
    with pytest.raises(ConfigurationUnstable):
        device.configuration.piece(0, 8)


def test_a_required_feature_above_bit_31_fails_the_negotiation_and_sets_failed() -> None:
    port = Port()
    device = Device(port)
    device.begin()
    with pytest.raises(NegotiationFailed, match="43"):
        device.negotiate(Features(), required=Features.of(43))
    assert port.statuses[-2:] == [ACK | DRIVER | 128, 0]
    with pytest.raises(DriverMisuse, match="32 feature bits"):
        device.transport.set_driver_features(Features.of(43))


def test_suspend_is_refused_on_the_legacy_interface_with_a_sentence() -> None:
    device = Device(Port())
    offered = device.begin()
    with pytest.raises(NotOffered, match="legacy devices have only 32 feature bits, so use the modern interface"):
        choose_dialect("auto", offered, DeviceType.RNG, legacy=True)
    with pytest.raises(NotOffered, match="use the modern interface"):
        choose_dialect("1.4", offered, DeviceType.RNG, legacy=True)


def test_one_queue_alone_cannot_be_reset() -> None:
    device = Device(Port())
    with pytest.raises(DriverMisuse, match="no queue_reset"):
        device.transport.reset_queue(0)


def test_legacy_is_refused_where_it_is_asked_of_a_modern_device() -> None:
    port = Port(device=0x1044)
    port.surroundings = replace(port.surroundings, legacy=True)
    with pytest.raises(CannotRun, match="1af4:1044 is a modern device"):
        Device(port)


def test_a_transitional_device_is_driven_through_the_legacy_interface_when_that_is_asked_for() -> None:
    port = Port(modern=True)
    port.surroundings = replace(port.surroundings, legacy=True)
    assert Device(port).transport.kind == "legacy"


def test_a_broken_modern_interface_is_told_and_not_hidden_behind_the_legacy_one() -> None:
    with pytest.raises(NotVirtio, match="BAR 4 is not there"):
        Device(Port(modern=True))


@pytest.mark.parametrize(("size", "said"), [(0, "there is none"), (0x10, "BAR 0 has 0x10 bytes")])
def test_a_bar_that_cannot_hold_the_header_is_named(size: int, said: str) -> None:
    with pytest.raises(NotVirtio, match=said):
        Device(Port(size=size))


def test_a_trace_names_the_legacy_registers() -> None:
    port = Port()
    recorder = Recorder(port.clock)
    device = Device(port, recorder=recorder)
    device.initialise(Features(), (1,))
    device.notifications.collect()
    device.configuration.read(0, 1)
    seen = [(event.kind, event.space, event.name) for event in recorder.events if isinstance(event, Access)]
    assert ("write", "legacy", "device_status") in seen
    assert ("write", "legacy", "queue_address") in seen
    assert ("read", "isr", "isr_status") in seen
    assert ("read", "config", "+0x0") in seen
