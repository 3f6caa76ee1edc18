"""MSI-X from the driver's side: vectors, messages into memory and pending bits, and that all of it is given back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from uvirtio.access.trace import Message, Recorder
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.opening import open_function
from uvirtio.device import Device
from uvirtio.errors import CannotRun
from uvirtio.messages import Messages, Way, destination
from uvirtio.pci.msix import Vector, VectorTable
from uvirtio_drivers import find_driver, find_workload
from uvirtio_drivers.workload import Workload

WAYS = pytest.mark.parametrize("way", [Way.MEMORY, Way.PENDING])


def _open(locator: str) -> tuple[Device, EmulatedBus]:
    function = open_function(locator)
    assert isinstance(function, EmulatedBus)
    device = Device(function, recorder=Recorder(function.clock))
    device.reset()
    return device, function


def _start(device: Device) -> Workload:
    driver_class = find_driver(device.identity.type)
    device.initialise(driver_class.FEATURES, driver_class.queues(device), dependencies=driver_class.DEPENDENCIES)
    driver = driver_class(device)
    driver.start()
    return find_workload(device.identity.type).of(driver)


def _request(device: Device, workload: Workload) -> None:
    workload.submit(1)
    workload.kick()
    device.wait_for(lambda: bool(workload.reap()))
    device.notifications.collect()


def _messages(device: Device) -> Messages:
    assert device.messages is not None
    return device.messages


def _vectors(device: Device) -> list[int]:
    assert device.recorder is not None
    return [event.vector for event in device.recorder.events if isinstance(event, Message)]


@WAYS
def test_each_request_shows_as_the_message_of_its_queue(way: Way) -> None:
    device, function = _open("emulated:rng")
    with device:
        device.use_messages(way)
        workload = _start(device)
        told = device.notifications
        for number in (1, 2, 3):
            _request(device, workload)
            assert (told.used, told.config, told.both) == (number, 0, 0)
        assert _vectors(device) == [1, 1, 1]
        assert function.function.log.faults() == []


@WAYS
def test_a_configuration_change_shows_as_vector_0_and_isr_is_looked_at_with_it(way: Way) -> None:
    device, function = _open("emulated:blk?size=1M")
    with device:
        device.use_messages(way)
        _start(device)
        function.triggers.fire("change_config")
        told = device.notifications
        assert told.collect() == 2
        assert (told.config, told.shown, told.missing) == (1, 1, 0)
        assert told.collect() == 0


def test_queues_without_a_vector_of_their_own_share_the_last() -> None:
    device, _ = _open("emulated:rng")
    with device:
        device.use_messages()
        assert [_messages(device).of_queue(index) for index in (0, 1, 7)] == [1, 1, 1]


@WAYS
def test_what_was_there_is_given_back(way: Way) -> None:
    device, function = _open("emulated:rng")
    with device:
        table = VectorTable.of(function.config, function.bar, device.capabilities)
        assert table is not None
        before = Vector(0xFEE0_0000, 0x41, 1)
        table.put(1, before)
        device.use_messages(way)
        assert table.vector(1) != before
        assert table.control & 0x8000
        _request(device, _start(device))
        device.reset()
        device.use_interrupts()
        assert table.vector(1) == before
        assert not table.control & 0xC000
        _request(device, _start(device))
        assert device.notifications.used == 1


def test_an_address_names_no_cpu_and_data_no_vector() -> None:
    device, function = _open("emulated:blk")
    with device:
        device.use_messages(Way.MEMORY)
        table = VectorTable.of(function.config, function.bar, device.capabilities)
        assert table is not None
        for number in range(table.count):
            address, data, _ = table.vector(number)
            assert address >> 12 & 0xFF == destination()
            assert address & 0xF == 0, "neither a logical destination nor a hint to redirect"
            assert data & 0xFFFF == 0, "fixed, edge, vector 0"
            assert data >> 16


def test_the_destination_is_of_no_cpu_and_not_of_all(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    assert destination(cpuinfo) == 0xFE
    cpuinfo.write_text("apicid\t\t: 254\ninitial apicid\t: 509\n")
    assert destination(cpuinfo) == 0xFC
    cpuinfo.write_text("".join(f"apicid\t\t: {number}\n" for number in range(256)))
    with pytest.raises(CannotRun, match="every APIC id"):
        destination(cpuinfo)


def test_a_bus_without_events_says_so() -> None:
    device, _ = _open("emulated:rng")
    with device, pytest.raises(CannotRun, match="delivers no MSI-X vectors as events"):
        device.use_messages(Way.EVENTS)


def test_a_queue_that_was_reset_has_its_vector_again() -> None:
    device, _ = _open("emulated:rng")
    with device:
        device.use_messages()
        workload = _start(device)
        _request(device, workload)
        device.reset_queue(0)
        _request(device, workload)
        assert device.notifications.used == 2


def test_closing_turns_msix_off() -> None:
    device, function = _open("emulated:rng")
    with device:
        device.use_messages()
        _start(device)
    assert not function.function.pci.msix_enabled


class _Line:
    """A vector that the kernel delivers."""

    description, present = "an eventfd", True

    def __init__(self) -> None:
        self.arrived = 0

    def enable(self) -> None: ...

    def wait(self, seconds: float) -> bool:
        return False

    def count(self) -> int:
        return self.arrived


def _of_the_kernel(lines: list[_Line], monkeypatch: pytest.MonkeyPatch) -> tuple[Device, EmulatedBus]:
    device, function = _open("emulated:rng")
    function.surroundings = replace(function.surroundings, kernel_vectors=True)
    monkeypatch.setattr(function, "open_vectors", lambda count, *, events: lines[:count] if events else [])
    return device, function


def test_where_the_kernel_has_the_table_vectors_are_events_and_nothing_is_written_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [_Line(), _Line()]
    device, function = _of_the_kernel(lines, monkeypatch)
    with device:
        table = VectorTable.of(function.config, function.bar, device.capabilities)
        assert table is not None
        before = [table.control, *(table.vector(number) for number in range(table.count))]
        device.use_messages()
        workload = _start(device)
        assert _messages(device).way is Way.EVENTS
        workload.submit(1)
        workload.kick()
        device.wait_for(lambda: bool(workload.reap()))
        lines[1].arrived = 1
        device.notifications.collect()
        assert device.notifications.used == 1
        device.reset()
        device.use_interrupts()
        assert [table.control, *(table.vector(number) for number in range(table.count))] == before


@pytest.mark.parametrize("way", [Way.MEMORY, Way.PENDING])
def test_other_ways_are_refused_there(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    device, _ = _of_the_kernel([_Line(), _Line()], monkeypatch)
    with device, pytest.raises(CannotRun, match="the kernel has the table of MSI-X, so there are events of the bus"):
        device.use_messages(way)


def test_a_kernel_that_has_no_vector_left_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    device, _ = _of_the_kernel([], monkeypatch)
    with device, pytest.raises(CannotRun, match="gives none of its MSI-X vectors"):
        device.use_messages()


@WAYS
def test_a_configuration_that_is_mapped_anew_as_the_device_runs_shows_as_its_new_vector(way: Way) -> None:
    device, function = _open("emulated:blk?size=1M")
    with device:
        device.use_messages(way)
        _start(device)
        messages = _messages(device)
        device.notifications.collect()
        before = len(_vectors(device))
        messages.move_config(1)
        assert (messages.of_config(), messages.bits) == (1, {1: 3})
        function.triggers.fire("change_config")
        assert device.notifications.collect() == 3
        assert _vectors(device)[before:] == [1]
        with pytest.raises(CannotRun, match="config_msix_vector reads 0xffff after vector 0x7f was written"):
            messages.move_config(0x7F)
        device.reset()
        _start(device)
        assert (messages.of_config(), messages.bits) == (0, {0: 2, 1: 1})


@WAYS
def test_a_queue_gets_another_vector_when_it_alone_is_reset_and_its_own_with_the_device(way: Way) -> None:
    device, _ = _open("emulated:rng")
    with device:
        device.use_messages(way)
        workload, messages = _start(device), _messages(device)
        messages.move_queue(0, 0)
        assert messages.bits == {0: 2, 1: 1}, "it is not changed while it is enabled"
        device.reset_queue(0)
        assert messages.bits == {0: 3}
        _request(device, workload)
        assert _vectors(device) == [0]
        device.reset()
        _start(device)
        assert messages.of_queue(0) == 1
