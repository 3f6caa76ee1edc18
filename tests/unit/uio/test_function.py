"""An open function: its registers, its interrupt, its memory, and that closing leaves everything as it was."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.uio.fake import COMMON_AT, MSIX_AT, RNG, Crash, FakeMachine
from uvirtio.bus.uio import UIO_DRIVER, UioFunction, bind, open_uio, pending, restore
from uvirtio.bus.uio.hugepages import HugePageArena
from uvirtio.bus.uio.journal import Entry, Journal, Reservation
from uvirtio.errors import CannotRun, DeviceBusy, DeviceGone, DeviceMisbehaved, LocatorError, PrivilegeMissing
from uvirtio.spec.pci import Command

STATUS = COMMON_AT + 0x14


class Memory:
    """Physical memory in small pages. A page is a place in a file, and keeps its frame wherever it is mapped."""

    def __init__(self, frames: list[int]) -> None:
        self.frames = frames
        self.given: dict[tuple[str, int], int] = {}

    def physical(self, _arena: HugePageArena, address: int) -> int:
        for line in Path("/proc/self/maps").read_text().splitlines():
            span, _, offset, _, inode, *_ = line.split()
            start, end = (int(part, 16) for part in span.split("-"))
            if start <= address < end:
                page = (inode, int(offset, 16) + address - start)
                if page not in self.given:
                    self.given[page] = self.frames[len(self.given)] * 4096
                return self.given[page]
        raise AssertionError(f"{address:#x} is not mapped")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    found = Memory(list(range(100, 400)))
    monkeypatch.setattr(HugePageArena, "page", 4096)
    monkeypatch.setattr(HugePageArena, "flags", 0)
    monkeypatch.setattr(HugePageArena, "_physical", lambda arena, address: found.physical(arena, address))
    return found


@pytest.fixture
def function(machine: FakeMachine, run: Path, memory: Memory) -> Iterator[UioFunction]:
    machine.modprobe(UIO_DRIVER)
    with open_uio("5.0", sysfs=machine, run=run) as found:
        yield found


def bar4(machine: FakeMachine) -> bytes:
    return (machine.function(RNG) / "resource4").read_bytes()


def test_a_function_is_given_back_as_it_was_found(machine: FakeMachine, run: Path, memory: Memory) -> None:
    machine.modprobe(UIO_DRIVER)
    before = machine.picture()
    function = open_uio("virtio3", sysfs=machine, run=run)
    assert function.locator == RNG
    assert (function.uio, function.driver_before) == ("uio0", "virtio-pci")
    function.dma.allocate(100)
    assert machine.read(machine.pool / "nr_hugepages") == "1"
    function.close()
    function.close()
    after = machine.picture()
    # What the kernel's driver gets differs in one bit: it turns bus mastering on itself.
    config = str(machine.function(RNG).resolve() / "config")
    assert {name for name in before if before[name] != after.get(name)} == {config}
    assert machine.command() == Command.MEMORY | Command.IO
    assert pending(run) == []


def test_a_function_found_on_uio_is_left_there(machine: FakeMachine, run: Path) -> None:
    bind(RNG, sysfs=machine, run=run)
    Journal(run).remove(RNG)
    with open_uio(RNG, sysfs=machine, run=run):
        pass
    assert machine.driver(RNG) == UIO_DRIVER
    assert pending(run) == []


def test_a_function_bound_on_purpose_stays_bound_and_can_still_be_restored(machine: FakeMachine, run: Path) -> None:
    bind(RNG, sysfs=machine, run=run)
    with open_uio(RNG, sysfs=machine, run=run):
        pass
    assert machine.driver(RNG) == UIO_DRIVER
    assert restore(RNG, sysfs=machine, run=run).driver == "virtio-pci"


@pytest.mark.parametrize("die_at", range(12))
def test_wherever_a_run_dies_restore_brings_the_machine_back_and_stops_the_device(
    machine: FakeMachine, run: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch, die_at: int
) -> None:
    machine.modprobe(UIO_DRIVER)
    before = machine.picture()
    for module in ("binding", "function"):
        monkeypatch.setattr(f"uvirtio.bus.uio.{module}.undo", lambda *_, **__: [])
    machine.die_at = die_at
    handles: list[UioFunction] = []
    try:
        handles.append(open_uio(RNG, sysfs=machine, run=run))
        handles[0].enable_bus_mastering()
        handles[0].dma.allocate(100)
        handles[0].bar(4).u8[STATUS] = 0x0F
    except Crash:
        pass
    # The process is gone: the kernel drops its lock, its mappings and its pages, and nothing else is done.
    for handle in handles:
        handle._close_bars()
        handle._lock.release()
    monkeypatch.undo()
    machine.die_at = None
    restore(RNG, sysfs=machine, run=run)
    after = machine.picture()
    config = str(machine.function(RNG).resolve() / "config")
    assert {name for name in before if before[name] != after.get(name)} <= {config}
    assert machine.command() & ~Command.BUS_MASTER == Command.MEMORY | Command.IO
    assert bar4(machine)[STATUS] == 0
    assert pending(run) == []


def test_the_next_run_cleans_up_after_one_that_died_before_the_device_can_reach_memory(
    machine: FakeMachine, run: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.modprobe(UIO_DRIVER)
    first = open_uio(RNG, sysfs=machine, run=run)
    first.enable_bus_mastering()
    first.dma.allocate(100)
    first.bar(4).u8[STATUS] = 0x0F
    first._close_bars()
    first._lock.release()
    with open_uio(RNG, sysfs=machine, run=run) as second:
        assert second.bar(4).u8[STATUS] == 0
        assert not machine.command() & Command.BUS_MASTER
        assert machine.read(machine.pool / "nr_hugepages") == "0"
    assert machine.driver(RNG) == "virtio-pci"
    assert pending(run) == []


def test_a_driver_that_forgets_to_reset_is_made_up_for(machine: FakeMachine, run: Path) -> None:
    with open_uio(RNG, sysfs=machine, run=run) as function:
        function.enable_bus_mastering()
        function.bar(4).u8[STATUS] = 0x0F
    assert bar4(machine)[STATUS] == 0


def test_looking_at_a_function_neither_resets_it_nor_lets_it_reach_memory(machine: FakeMachine, run: Path) -> None:
    with open_uio(RNG, sysfs=machine, run=run) as function:
        function.bar(4).u8[STATUS] = 0x0F
        assert not machine.command() & Command.BUS_MASTER
    assert bar4(machine)[STATUS] == 0x0F


def test_bus_mastering_comes_when_it_is_asked_for_and_goes_before_anything_else(
    machine: FakeMachine, run: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    unmap = HugePageArena.close
    monkeypatch.setattr(HugePageArena, "close", lambda arena: (seen.append(machine.command()), unmap(arena)))
    with open_uio(RNG, sysfs=machine, run=run) as function:
        function.dma.allocate(64)
        assert not machine.command() & Command.BUS_MASTER, "memory alone does not let the device reach it"
        function.enable_bus_mastering()
        assert machine.command() & Command.BUS_MASTER
        machine.before_write.append(lambda: seen.append(machine.command()))
    assert len(seen) > 3
    assert not any(command & Command.BUS_MASTER for command in seen)


def test_the_journal_says_that_a_device_is_driven_before_it_is(
    machine: FakeMachine, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, bool]] = []
    write = Journal.write

    def watched(journal: Journal, entry: Entry) -> None:
        write(journal, entry)
        if entry.opened is not None:
            seen.append((entry.opened.driven, bool(machine.command() & Command.BUS_MASTER)))

    monkeypatch.setattr(Journal, "write", watched)
    with open_uio(RNG, sysfs=machine, run=run) as function:
        seen.clear()
        function.enable_bus_mastering()
        function.enable_bus_mastering()
        assert seen == [(True, False)]
        assert machine.command() & Command.BUS_MASTER


def test_msix_is_disabled_while_open_and_put_back(machine: FakeMachine, run: Path) -> None:
    assert machine.peek(RNG, MSIX_AT + 2, 2) == 0x8001
    with open_uio(RNG, sysfs=machine, run=run) as function:
        assert function.config.u16[(MSIX_AT + 2) // 2] == 0x0001
    assert machine.peek(RNG, MSIX_AT + 2, 2) == 0x8001


def test_registers_are_reached_with_their_width(function: UioFunction, machine: FakeMachine) -> None:
    region = function.bar(4)
    region.u32[COMMON_AT // 4] = 0x1122_3344
    region.u16[COMMON_AT // 2 + 2] = 0x5566
    region.u8[COMMON_AT + 6] = 0x77
    assert bar4(machine)[COMMON_AT : COMMON_AT + 8].hex() == "4433221166557700"
    assert function.config.u32[0] == 0x1044_1AF4
    assert (region.length, function.bar(1).length) == (0x4000, 0x1000)
    assert function.bar(4) is region


def test_an_io_bar_is_reached_by_calls_of_exactly_the_width(function: UioFunction, machine: FakeMachine) -> None:
    ports = function.bar(0)
    ports.u16[0x12 // 2] = 0xABCD
    assert (ports.u8[0x12], ports.u8[0x13], ports.u16[9]) == (0xCD, 0xAB, 0xABCD)
    assert (machine.function(RNG) / "resource0").stat().st_size == 0x20
    with pytest.raises(IndexError):
        ports.u32[8]


def test_a_bar_that_is_not_there_is_named(function: UioFunction) -> None:
    with pytest.raises(DeviceMisbehaved, match=r"BAR 2 .* has 0, 1, 4"):
        function.bar(2)


def test_views_do_not_outlive_the_function(machine: FakeMachine, run: Path) -> None:
    function = open_uio(RNG, sysfs=machine, run=run)
    window = function.bar(4).window(COMMON_AT, 0x38)
    function.close()
    for view in (window.u8, window.u16, window.u32):
        with pytest.raises(ValueError, match="released"):
            view[0]


def test_a_function_that_vanished_reads_all_ones_and_is_closed_with_its_journal(
    machine: FakeMachine, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = open_uio(RNG, sysfs=machine, run=run)
    monkeypatch.setattr(os, "pread", lambda *_: (_ for _ in ()).throw(OSError(19, "No such device")))
    monkeypatch.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(19, "No such device")))
    assert (function.config.u16[0], function.bar(0).u8[0]) == (0xFFFF, 0xFF)
    function.config.u16[2] = 0
    monkeypatch.undo()
    machine.remove()
    function.close()
    assert pending(run) == []


def test_a_function_is_opened_once_at_a_time(function: UioFunction, machine: FakeMachine, run: Path) -> None:
    with pytest.raises(DeviceBusy, match=f"process {os.getpid()}"):
        open_uio(RNG, sysfs=machine, run=run)
    assert machine.driver(RNG) == UIO_DRIVER


def test_this_bus_knows_no_parameters(machine: FakeMachine, run: Path) -> None:
    from uvirtio.bus.locator import parse

    with pytest.raises(LocatorError, match="profile"):
        open_uio(parse("5.0?profile=rfc"), sysfs=machine, run=run)
    assert machine.writes == []


def test_a_close_whose_step_fails_does_the_other_steps_and_tells(
    machine: FakeMachine, run: Path, memory: Memory
) -> None:
    function = open_uio(RNG, sysfs=machine, run=run)
    function.dma.allocate(64)
    machine.broken["drivers_probe"] = OSError(16, "Device or resource busy")
    with pytest.raises(CannotRun, match="busy"):
        function.close()
    assert machine.read(machine.pool / "nr_hugepages") == "0"
    machine.broken.clear()
    # The lock is free and the journal is still there, so it can be tried again.
    assert restore(RNG, sysfs=machine, run=run).driver == "virtio-pci"


# -- interrupts --------------------------------------------------------------------------------------------------------


def interrupt(machine: FakeMachine, total: int) -> None:
    """What the kernel's handler does: set Interrupt Disable, count."""
    machine.poke(RNG, 4, 2, machine.command() | Command.INTX_DISABLE)
    handle = os.open(machine.dev / "uio0", os.O_RDWR)
    os.write(handle, struct.pack("=I", total))


def test_interrupts_are_counted_from_when_the_function_was_opened(function: UioFunction, machine: FakeMachine) -> None:
    line = function.line
    assert (line.present, line.description, line.count()) == (True, "INTx through /dev/uio0", 0)
    assert not line.wait(0)
    interrupt(machine, 8)
    assert line.wait(0)
    interrupt(machine, 10)
    assert line.count() == 3
    assert not line.wait(0)


def test_enabling_the_line_clears_interrupt_disable_and_nothing_else(
    function: UioFunction, machine: FakeMachine
) -> None:
    interrupt(machine, 8)
    before = machine.command()
    function.line.enable()
    assert machine.command() == before & ~Command.INTX_DISABLE


def test_a_count_that_wraps_goes_on(function: UioFunction, machine: FakeMachine) -> None:
    interrupt(machine, 0)
    assert function.line.wait(0)
    assert function.line.count() == (1 << 32) - 7


def test_an_unplugged_device_ends_the_wait_with_a_named_error(
    function: UioFunction, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(machine, 8)
    monkeypatch.setattr(os, "read", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(DeviceGone, match="was removed"):
        function.line.wait(0)


@pytest.mark.parametrize(("pin", "irq", "why"), [(0, 21, "no interrupt pin"), (1, 0, "no interrupt number")])
def test_a_function_without_an_interrupt_is_polled_and_says_so(
    tmp_path: Path, run: Path, pin: int, irq: int, why: str
) -> None:
    machine = FakeMachine(tmp_path / "machine")
    machine.add(pin=pin, irq=irq)
    with open_uio(RNG, sysfs=machine, run=run) as function:
        assert not function.line.present
        assert why in function.line.description
        assert why in function.facts()["interrupt"]


# -- memory ------------------------------------------------------------------------------------------------------------


def test_neighbouring_pages_are_put_in_the_order_of_their_addresses(
    function: UioFunction, memory: Memory, machine: FakeMachine
) -> None:
    memory.frames[:3] = [902, 900, 901]
    piece = function.dma.allocate(3 * 4096 - 64)
    assert piece.address == 900 * 4096
    assert len(piece.memory) == 3 * 4096 - 64
    piece.memory[5000:5004] = b"here"
    function.verify()


def test_neighbours_are_looked_for_among_more_pages_when_the_first_are_none(
    function: UioFunction, memory: Memory
) -> None:
    memory.frames[:6] = [10, 20, 50, 30, 40, 31]
    assert function.dma.allocate(2 * 4096 - 64).address == 30 * 4096


def test_memory_without_neighbours_is_refused_with_what_to_do(function: UioFunction, memory: Memory) -> None:
    memory.frames[:] = range(0, 1000, 2)
    with pytest.raises(CannotRun, match="neighbouring huge pages"):
        function.dma.allocate(2 * 4096)


def test_a_page_that_the_kernel_moved_is_noticed(function: UioFunction, memory: Memory) -> None:
    function.dma.allocate(64)
    (page,) = memory.given
    memory.given[page] = 0x7000
    with pytest.raises(CannotRun, match=r"moved huge page 0 .* from 0x64000 to 0x7000"):
        function.verify()


def test_huge_pages_that_the_kernel_cannot_find_are_refused_and_given_back(
    function: UioFunction, machine: FakeMachine, memory: Memory
) -> None:
    (machine.pool / "nr_hugepages").write_text("5\n")  # all in use: free is 0
    machine.pages_left = 6
    with pytest.raises(CannotRun, match="needs 3 more huge pages of 2 MiB and the kernel found 1"):
        function.dma.allocate(3 * 4096 - 64)
    function.close()
    assert machine.read(machine.pool / "nr_hugepages") == "5"


@pytest.mark.parametrize(("now", "after"), [(2, 2), (3, 2), (4, 2), (9, 7), (1, 1)])
def test_a_run_that_died_around_the_reservation_gives_back_what_the_pool_grew_by_and_no_more(
    machine: FakeMachine, run: Path, now: int, after: int
) -> None:
    Journal(run).change(RNG, hugepages=(Reservation(before=2, wanted=2),))
    (machine.pool / "nr_hugepages").write_text(f"{now}\n")
    restore(RNG, sysfs=machine, run=run)
    assert machine.number(machine.pool / "nr_hugepages") == after
    assert pending(run) == []


def test_more_than_half_of_the_available_memory_is_not_even_asked_for(
    function: UioFunction, machine: FakeMachine, memory: Memory
) -> None:
    (machine.proc / "meminfo").write_text("MemTotal: 20480 kB\nMemAvailable:   16384 kB\n")
    with pytest.raises(CannotRun, match="5 more huge pages of 2 MiB, which is more than half of the 16 MiB"):
        function.dma.allocate(5 * 4096 - 64)
    assert "nr_hugepages" not in "".join(machine.writes)
    assert len(function.dma.allocate(4 * 4096 - 64).memory) == 4 * 4096 - 64


def test_free_huge_pages_are_used_and_left(function: UioFunction, machine: FakeMachine, memory: Memory) -> None:
    for name in ("nr_hugepages", "free_hugepages"):
        (machine.pool / name).write_text("5\n")
    function.dma.allocate(64)
    function.close()
    assert machine.read(machine.pool / "nr_hugepages") == "5"


def test_only_what_was_reserved_is_given_back(function: UioFunction, machine: FakeMachine, memory: Memory) -> None:
    (machine.pool / "nr_hugepages").write_text("5\n")  # all in use: free is 0
    function.dma.allocate(64)
    assert machine.read(machine.pool / "nr_hugepages") == "6"
    (machine.pool / "nr_hugepages").write_text("9\n")  # somebody else took three more meanwhile
    function.close()
    assert machine.read(machine.pool / "nr_hugepages") == "8"


def test_a_hidden_page_frame_is_an_error_and_never_an_address(machine: FakeMachine, run: Path) -> None:
    from uvirtio.bus.uio.hugepages import physical_address

    pagemap = machine.proc / "self/pagemap"
    pagemap.write_bytes(struct.pack("<3Q", 1 << 63, 0, 1 << 63 | 0x123))
    with pytest.raises(PrivilegeMissing, match="CAP_SYS_ADMIN"):
        physical_address(machine, 0x10)
    with pytest.raises(CannotRun, match="not in memory"):
        physical_address(machine, 0x1000)
    assert physical_address(machine, 0x2010) == 0x123010
    with pytest.raises(CannotRun, match="not in memory"):
        physical_address(machine, 0x9000)
