"""Virtual functions of SR-IOV: what their configuration space leaves out is filled in, and they are driven by polling."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.uio.fake import RNG, FakeMachine
from uvirtio.bus.uio import UIO_DRIVER, bind, describe, discover, open_uio, pending, restore, uses
from uvirtio.bus.uio.virtual import fill_in, missing
from uvirtio.errors import CannotRun, DeviceGone, InUse
from uvirtio.pci.header import read_bars, read_identity
from uvirtio.spec.pci import Command, Header
from uvirtio_tools.inspect.readiness import examine
from uvirtio_tools.inspect.sources import describe_locator

VIRTUAL = "0000:00:05.1"


@pytest.fixture(autouse=True)
def virtual(machine: FakeMachine) -> None:
    """Two virtual functions of the machine's one entropy device."""
    assert machine.enable_virtual(RNG, 2) == [VIRTUAL, "0000:00:05.2"]
    assert machine.peek(VIRTUAL, Header.VENDOR, 4) == 0xFFFF_FFFF
    assert machine.peek(VIRTUAL, Header.BAR0 + 4, 4) == 0


def test_a_virtual_function_is_found_with_the_one_that_it_belongs_to(machine: FakeMachine) -> None:
    found = {function.address: function for function in discover(machine)}
    assert {address: function.physical for address, function in found.items()} == {
        RNG: None,
        VIRTUAL: RNG,
        "0000:00:05.2": RNG,
    }
    # The fake shows a pin there, as QEMU does; the kernel knows better.
    assert machine.peek(VIRTUAL, Header.INTERRUPT_PIN, 1) == 1
    assert (
        found[VIRTUAL].identity.type_name,
        found[VIRTUAL].identity.interrupt_pin,
        found[RNG].identity.interrupt_pin,
    ) == ("rng", 0, 1)


def test_its_open_configuration_space_reads_as_that_of_a_function_of_its_own(machine: FakeMachine, run: Path) -> None:
    with open_uio(VIRTUAL, sysfs=machine, run=run) as function:
        identity = read_identity(function.config, VIRTUAL)
        assert (identity.vendor, identity.device, identity.type_name) == (0x1AF4, 0x1044, "rng")
        assert (identity.class_code, identity.revision, identity.subsystem) == (0x020000, 1, 0x1100)
        assert identity.interrupt_pin == 0
        assert (function.config.u16[0], function.config.u8[2], function.config.u8[3]) == (0x1AF4, 0x44, 0x10)
        assert [(bar.number, bar.address, bar.kind) for bar in read_bars(function.config)] == [
            (1, 0xFE000000, "memory 32-bit"),
            (4, 1 << 34, "memory 64-bit prefetchable"),
        ]
        assert function.bar(4).length == 0x4000


def test_memory_decoding_counts_as_on_and_bus_mastering_is_still_the_functions_own(
    machine: FakeMachine, run: Path
) -> None:
    with open_uio(VIRTUAL, sysfs=machine, run=run) as function:
        command = Header.COMMAND // 2
        machine.poke(VIRTUAL, Header.COMMAND, 2, 0)  # which is all that SR-IOV lets the register keep
        assert function.config.u16[command] == Command.MEMORY
        function.enable_bus_mastering()
        assert machine.command(VIRTUAL) & Command.BUS_MASTER
        assert function.config.u16[command] == Command.MEMORY | Command.BUS_MASTER
    assert not machine.command(VIRTUAL) & Command.BUS_MASTER


def test_an_interrupt_that_it_should_not_have_is_masked_while_it_is_open(machine: FakeMachine, run: Path) -> None:
    assert not machine.command(VIRTUAL) & Command.INTX_DISABLE
    with open_uio(VIRTUAL, sysfs=machine, run=run):
        assert machine.command(VIRTUAL) & Command.INTX_DISABLE
    assert not machine.command(VIRTUAL) & Command.INTX_DISABLE
    with open_uio(RNG, sysfs=machine, run=run, force=True):
        assert not machine.command(RNG) & Command.INTX_DISABLE


def test_it_is_polled_and_the_reason_is_told(machine: FakeMachine, run: Path) -> None:
    with open_uio(VIRTUAL, sysfs=machine, run=run) as function:
        assert not function.line.present
        assert "a virtual function has no INTx" in function.facts()["interrupt"]
        assert "polling" in function.facts()["interrupt"]


def test_one_that_went_away_reads_all_ones_also_where_the_kernel_knows_better(machine: FakeMachine, run: Path) -> None:
    config = machine.function(VIRTUAL) / "config"
    before = config.read_bytes()
    with open_uio(VIRTUAL, sysfs=machine, run=run) as function:
        handle = os.open(config, os.O_WRONLY)
        try:
            os.pwrite(handle, b"\xff" * len(before), 0)
        finally:
            os.close(handle)
        assert (function.config.u16[0], function.config.u32[0]) == (0xFFFF, 0xFFFF_FFFF)
        assert function.config.u16[Header.COMMAND // 2] == 0xFFFF
        with pytest.raises(DeviceGone, match="all-ones"):
            read_identity(function.config, VIRTUAL)
        config.write_bytes(before)


def test_the_bytes_of_one_that_went_away_stay_all_ones(machine: FakeMachine) -> None:
    function = describe(machine, VIRTUAL)
    gone = b"\xff" * Header.SIZE
    assert fill_in(gone, missing(function)) == gone
    assert fill_in(function.config, missing(function)) != function.config
    assert missing(describe(machine, RNG)) == {}


def test_it_is_taken_and_given_back_as_any_function(machine: FakeMachine, run: Path) -> None:
    assert bind(VIRTUAL, sysfs=machine, run=run).before == "virtio-pci"
    assert machine.driver(VIRTUAL) == UIO_DRIVER
    assert restore(VIRTUAL, sysfs=machine, run=run).driver == "virtio-pci"
    assert pending(run) == []


def test_a_kernel_that_wants_an_interrupt_refuses_it_with_that_as_the_reason(machine: FakeMachine, run: Path) -> None:
    machine.takes_no_pin = False
    machine.masks_intx = False  # SR-IOV hardwires Interrupt Disable to 0, which is not what is wrong here
    with pytest.raises(CannotRun, match=f"virtual function \\(of {RNG}\\), which has no INTx: older kernels refuse"):
        bind(VIRTUAL, sysfs=machine, run=run)
    assert machine.driver(VIRTUAL) == "virtio-pci"
    assert pending(run) == []


def test_a_physical_function_is_in_use_as_long_as_it_has_virtual_ones(machine: FakeMachine, run: Path) -> None:
    (use,) = uses(machine, RNG)
    assert use.startswith(f"it has 2 virtual functions ({VIRTUAL}, 0000:00:05.2)")
    assert uses(machine, VIRTUAL) == []
    with pytest.raises(InUse, match="2 virtual functions"):
        bind(RNG, sysfs=machine, run=run)
    for link in machine.function(RNG).glob("virtfn*"):
        link.unlink()
    assert uses(machine, RNG) == []


@pytest.mark.parametrize("size", [Header.SIZE, Header.FIRST_CAPABILITY], ids=["root", "anybody"])
def test_the_inspector_shows_its_ids_and_bars_and_whose_it_is(machine: FakeMachine, size: int) -> None:
    config = machine.function(VIRTUAL) / "config"
    config.write_bytes(config.read_bytes()[:size])
    device = describe_locator(VIRTUAL, sysfs=machine)
    assert (device.type_name, device.vendor, device.device) == ("rng", 0x1AF4, 0x1044)
    assert [(bar.number, bar.address, bar.size) for bar in device.bars] == [
        (1, 0xFE000000, 0x1000),
        (4, 1 << 34, 0x4000),
    ]
    assert device.interrupt is not None
    assert device.interrupt.pin == 0
    assert any(f"a virtual function of {RNG}" in note for note in device.notes)
    # Raw bytes are what they are.
    assert device.pci_raw.startswith("ffffffff")


def test_the_registers_of_one_on_uio_are_read_although_its_memory_bit_is_off(machine: FakeMachine, run: Path) -> None:
    bind(VIRTUAL, sysfs=machine, run=run)
    handle = os.open(machine.function(VIRTUAL) / "config", os.O_WRONLY)
    try:
        os.pwrite(handle, bytes(2), Header.COMMAND)
    finally:
        os.close(handle)
    device = describe_locator(VIRTUAL, sysfs=machine)
    assert device.source == "registers"
    assert not any("decoding is off" in problem for problem in device.problems)


def test_doctor_asks_nobody_for_pins_that_virtual_functions_cannot_have(machine: FakeMachine, run: Path) -> None:
    (pins,) = [fact for fact in examine(machine, run) if fact.name == "interrupt pins"]
    assert pins.text.startswith(f"{VIRTUAL}, 0000:00:05.2: none")
    assert "there is nothing to do" in pins.advice
    machine.add("0000:00:06.0", pin=0, number=4)
    (pins,) = [fact for fact in examine(machine, run) if fact.name == "interrupt pins"]
    assert "the hypervisor has to give the function an INTx pin" in pins.advice
