"""Taking a function and giving it back, and every way in which that is refused."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import uvirtio.bus.uio.taking as taking_module
from tests.unit.uio.fake import RNG, Crash, FakeMachine
from uvirtio.bus.uio import UIO_DRIVER, Sysfs, bind, pending, restore, restore_all
from uvirtio.bus.uio.journal import Binding, Journal
from uvirtio.bus.uio.lock import FunctionLock
from uvirtio.errors import CannotRun, DeviceBusy, InUse, ModuleMissing, NoSuchDevice, NotVirtio, PrivilegeMissing


def test_bind_takes_the_function_and_restore_gives_it_back(machine: FakeMachine, run: Path) -> None:
    machine.modprobe(UIO_DRIVER)
    before = machine.picture()
    bound = bind(RNG, sysfs=machine, run=run)
    assert (bound.node, bound.before, bound.already) == ("uio0", "virtio-pci", False)
    assert machine.driver(RNG) == UIO_DRIVER
    assert machine.writes == [f"driver_override={UIO_DRIVER}", f"unbind={RNG}", f"drivers_probe={RNG}"]
    assert pending(run) == [RNG]
    assert restore(RNG, sysfs=machine, run=run).driver == "virtio-pci"
    assert machine.picture() == before
    assert pending(run) == []


def test_the_journal_is_on_disk_before_the_first_write(machine: FakeMachine, run: Path) -> None:
    seen: list[Binding | None] = []

    def look() -> None:
        entry = Journal(run).read(RNG)
        seen.append(entry.binding if entry else None)

    machine.before_write.append(look)
    bind(RNG, sysfs=machine, run=run)
    assert seen == [Binding("virtio-pci", "", True)] * 3


@pytest.mark.parametrize("driver", ["virtio-pci", None])
@pytest.mark.parametrize("override", ["(null)", "none-such"])
@pytest.mark.parametrize("die_at", range(4))
def test_wherever_bind_dies_restore_brings_the_machine_back(
    tmp_path: Path, run: Path, driver: str | None, override: str, die_at: int
) -> None:
    machine = FakeMachine(tmp_path / "machine")
    machine.add(driver=driver)
    (machine.function(RNG) / "driver_override").write_text(override + "\n")
    machine.modprobe(UIO_DRIVER)
    before = machine.picture()
    machine.die_at = die_at
    died = False
    # Dying means that no handler of the process runs either.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(taking_module, "undo", lambda *_, **__: [])
        try:
            bind(RNG, sysfs=machine, run=run)
        except Crash:
            died = True
    assert died == (die_at < (3 if driver else 2))
    machine.die_at = None
    restore(RNG, sysfs=machine, run=run)
    assert machine.picture() == before
    assert pending(run) == []


@pytest.mark.parametrize("die_at", range(3))
def test_wherever_restore_dies_a_second_restore_ends_it(machine: FakeMachine, run: Path, die_at: int) -> None:
    machine.modprobe(UIO_DRIVER)
    before = machine.picture()
    bind(RNG, sysfs=machine, run=run)
    machine.die_at = len(machine.writes) + die_at
    with pytest.raises(Crash):
        restore(RNG, sysfs=machine, run=run)
    machine.die_at = None
    restore(RNG, sysfs=machine, run=run)
    assert machine.picture() == before


@pytest.mark.parametrize("die_at", range(3))
def test_wherever_restore_dies_a_second_bind_still_knows_the_first_driver(
    machine: FakeMachine, run: Path, die_at: int
) -> None:
    machine.modprobe(UIO_DRIVER)
    before = machine.picture()
    bind(RNG, sysfs=machine, run=run)
    machine.die_at = len(machine.writes) + die_at
    with pytest.raises(Crash):
        restore(RNG, sysfs=machine, run=run)
    machine.die_at = None
    bind(RNG, sysfs=machine, run=run)
    assert machine.driver(RNG) == UIO_DRIVER
    restore(RNG, sysfs=machine, run=run)
    assert machine.picture() == before


def test_a_function_without_a_driver_is_left_without_one(tmp_path: Path, run: Path) -> None:
    machine = FakeMachine(tmp_path / "machine")
    machine.add(driver=None)
    bind(RNG, sysfs=machine, run=run)
    assert restore(RNG, sysfs=machine, run=run).driver is None
    assert "drivers_probe" not in machine.writes[-1]


def test_a_driver_that_the_kernel_would_not_choose_is_asked_for_by_name(tmp_path: Path, run: Path) -> None:
    machine = FakeMachine(tmp_path / "machine")
    machine.modprobe("vfio-pci")
    machine.add(driver="vfio-pci")  # by new_id: no override says so
    bind(RNG, sysfs=machine, run=run)
    assert restore(RNG, sysfs=machine, run=run).driver == "vfio-pci"


def test_binding_what_is_on_uio_already_changes_nothing_and_restore_without_a_journal_lets_the_kernel_choose(
    machine: FakeMachine, run: Path
) -> None:
    bind(RNG, sysfs=machine, run=run)
    Journal(run).remove(RNG)
    count = len(machine.writes)
    assert bind(RNG, sysfs=machine, run=run).already
    assert len(machine.writes) == count
    restored = restore(RNG, sysfs=machine, run=run)
    assert (restored.driver, len(restored.notes)) == ("virtio-pci", 1)


def test_a_driver_that_somebody_changed_meanwhile_is_not_touched(machine: FakeMachine, run: Path) -> None:
    bind(RNG, sysfs=machine, run=run)
    (machine.function(RNG) / "driver_override").write_text("(null)\n")
    machine._unbind(RNG)
    machine._bind(RNG, "virtio-pci")
    count = len(machine.writes)
    assert restore(RNG, sysfs=machine, run=run).driver == "virtio-pci"
    assert len(machine.writes) == count


def test_a_removed_function_is_said_to_be_gone_and_its_journal_ends(machine: FakeMachine, run: Path) -> None:
    bind(RNG, sysfs=machine, run=run)
    machine.remove()
    (note,) = restore(RNG, sysfs=machine, run=run).notes
    assert "removed" in note
    assert pending(run) == []


@pytest.mark.parametrize("attribute", ["driver_override", "unbind", "drivers_probe"])
def test_a_function_that_is_removed_while_it_is_restored_is_said_to_be_gone(
    machine: FakeMachine, run: Path, attribute: str
) -> None:
    bind(RNG, sysfs=machine, run=run)
    machine.broken[attribute] = OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    steps = ["driver_override", "unbind", "drivers_probe"].index(attribute) + 1
    count = len(machine.writes)
    machine.before_write.append(lambda: machine.remove() if len(machine.writes) == count + steps - 1 else None)
    (note,) = restore(RNG, sysfs=machine, run=run).notes
    assert "removed" in note
    assert pending(run) == []


def test_one_function_that_cannot_be_restored_does_not_keep_the_others_from_it(machine: FakeMachine, run: Path) -> None:
    machine.add("0000:00:06.0", number=4, driver=None)
    journal = Journal(run)
    bind(RNG, sysfs=machine, run=run)
    journal.change("0000:00:06.0", binding=Binding(None, "", True))
    journal.path(RNG).write_text("{")
    first, second = restore_all(sysfs=machine, run=run)
    assert isinstance(first, CannotRun)
    assert "damaged" in str(first)
    assert not isinstance(second, Exception)
    assert pending(run) == [RNG]


# -- refusals ----------------------------------------------------------------------------------------------------------


def refused(machine: FakeMachine, run: Path, kind: type[CannotRun], words: str, *, restored: bool = True) -> None:
    machine.modprobe(UIO_DRIVER) if machine.module_there else None
    before = machine.picture()
    with pytest.raises(kind, match=words):
        bind(RNG, sysfs=machine, run=run)
    if restored:
        assert machine.picture() == before
    assert pending(run) == []


def test_journals_that_may_not_be_read_are_not_taken_for_none(
    monkeypatch: pytest.MonkeyPatch, machine: FakeMachine, run: Path
) -> None:
    def forbidden(_path: object) -> list[str]:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("uvirtio.bus.uio.journal.os.listdir", forbidden)
    with pytest.raises(CannotRun, match=r"cannot read the journals in .*Permission denied; run it as root"):
        restore_all(sysfs=machine, run=run)


def test_an_address_without_a_function_is_refused(machine: FakeMachine, run: Path) -> None:
    with pytest.raises(NoSuchDevice, match=r"no PCI function 0000:00:1e\.0"):
        bind("0000:00:1e.0", sysfs=machine, run=run)


def test_a_function_that_is_not_virtio_is_refused_by_its_ids(tmp_path: Path, run: Path) -> None:
    machine = FakeMachine(tmp_path / "machine")
    machine.add(vendor=0x8086, device=0x100E, driver=None)
    refused(machine, run, NotVirtio, "8086:100e, not a virtio device")
    assert machine.writes == []


def test_a_missing_module_is_named_before_anything_is_changed(machine: FakeMachine, run: Path) -> None:
    machine.module_there = False
    refused(machine, run, ModuleMissing, "CONFIG_UIO_PCI_GENERIC")
    assert machine.writes == []


def test_lockdown_is_named_before_anything_is_changed(machine: FakeMachine, run: Path) -> None:
    (machine.sys / "kernel/security").mkdir()
    (machine.sys / "kernel/security/lockdown").write_text("none [integrity] confidentiality\n")
    refused(machine, run, PrivilegeMissing, "Secure Boot")
    assert machine.writes == []


def test_a_write_that_the_kernel_forbids_asks_for_root(machine: FakeMachine, run: Path) -> None:
    machine.broken["driver_override"] = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    refused(machine, run, PrivilegeMissing, "root")


def test_attributes_that_may_not_be_written_ask_for_root(
    machine: FakeMachine, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    refused(machine, run, PrivilegeMissing, "sudo")
    assert machine.writes == []


@pytest.mark.parametrize("attribute", ["unbind", "drivers_probe"])
def test_a_write_that_fails_half_way_is_undone(machine: FakeMachine, run: Path, attribute: str) -> None:
    machine.modprobe(UIO_DRIVER)
    before = machine.picture()
    machine.broken[attribute] = OSError(errno.EBUSY, os.strerror(errno.EBUSY))
    machine.before_write.append(lambda: machine.broken.clear() if len(machine.writes) > 2 else None)
    with pytest.raises(CannotRun, match="Device or resource busy"):
        bind(RNG, sysfs=machine, run=run)
    assert machine.picture() == before


def test_a_function_whose_intx_cannot_be_masked_is_given_back_and_the_bit_is_named(
    machine: FakeMachine, run: Path
) -> None:
    machine.masks_intx = False
    refused(machine, run, CannotRun, "cannot mask its INTx.*command bit 10")


def test_a_missing_node_in_dev_is_given_back_and_named(
    machine: FakeMachine, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.uio_node = False
    monkeypatch.setattr(taking_module, "_DEVICE_TIME", 0.01)
    refused(machine, run, CannotRun, "/dev/uio0 did not appear")


def test_a_function_that_another_process_drives_is_busy_with_its_process_id(machine: FakeMachine, run: Path) -> None:
    with FunctionLock(RNG, run), pytest.raises(DeviceBusy, match=f"process {os.getpid()}"):
        bind(RNG, sysfs=machine, run=run)
    with FunctionLock(RNG, run), pytest.raises(DeviceBusy):
        restore(RNG, sysfs=machine, run=run)
    assert machine.writes == []


def test_a_device_in_use_is_refused_unless_forced(machine: FakeMachine, run: Path) -> None:
    net = machine.class_device(machine.child(driver="virtio_net"), "net", "eth0", flags="0x1003")
    assert net.exists()
    with pytest.raises(InUse, match=r"network interface eth0 is up.*--force"):
        bind(RNG, sysfs=machine, run=run)
    assert machine.writes == []
    assert bind(RNG, sysfs=machine, run=run, force=True).before == "virtio-pci"


def test_a_dry_run_tells_the_writes_and_does_nothing(machine: FakeMachine, run: Path) -> None:
    machine.modprobe(UIO_DRIVER)
    before, told = machine.picture(), []
    dry = Sysfs(machine.root, dry_run=True, tell=told.append)
    bind(RNG, sysfs=dry, run=run)
    assert machine.picture() == before
    assert [line.split(" > ")[0] for line in told] == [f"printf {UIO_DRIVER}", f"printf {RNG}", f"printf {RNG}"]
    assert not run.exists()
