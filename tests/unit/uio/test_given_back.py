"""Whatever else goes wrong, a device is given back: odd signals, a full /run, nobody to tell, journals that are not ours."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.uio.fake import MSIX_AT, RNG, FakeMachine
from tests.unit.uio.test_supervisor import die, driving
from uvirtio.bus.uio import UIO_DRIVER, Restored, bind, open_uio, pending, restore, restore_all
from uvirtio.bus.uio.hugepages import reserve
from uvirtio.bus.uio.journal import Binding, Entry, Journal, Opened, Reservation, Table
from uvirtio.errors import CannotRun
from uvirtio.spec.pci import Command, Header
from uvirtio_tools.supervisor import supervise

OTHER = "0000:00:06.0"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes the file system of the journals full: nothing new can be written there."""

    def refuse(*_: object, **__: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    return lambda: monkeypatch.setattr("uvirtio.bus.uio.journal.open", refuse, raising=False)


@pytest.mark.parametrize("number", [signal.SIGRTMIN, signal.SIGRTMIN + 6, signal.SIGRTMAX])
def test_the_device_of_a_worker_that_a_real_time_signal_ends_is_given_back(
    machine: FakeMachine, run: Path, capfd: pytest.CaptureFixture[str], number: int
) -> None:
    assert supervise(RNG, driving(machine, run, die(number)), sysfs=machine, run=run) == 1  # type: ignore[arg-type]
    assert machine.driver(RNG) == "virtio-pci"
    assert pending(run) == []
    assert "was ended by SIGRTM" in capfd.readouterr().err


def test_a_device_is_given_back_although_nobody_can_be_told(machine: FakeMachine, run: Path) -> None:
    child = os.fork()
    if child == 0:
        status = 99
        try:
            os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
            status = supervise(RNG, driving(machine, run, die(signal.SIGKILL)), sysfs=machine, run=run)
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert machine.driver(RNG) == "virtio-pci"
    assert pending(run) == []


def test_a_device_is_given_back_where_the_journal_has_no_room(
    machine: FakeMachine, run: Path, full: Callable[[], None]
) -> None:
    with open_uio(RNG, sysfs=machine, run=run) as function:
        reserve(machine, Journal(run), RNG, 2)
        function.enable_bus_mastering()
        full()
    assert machine.driver(RNG) == "virtio-pci"
    assert machine.number(machine.pool / "nr_hugepages") == 0
    assert pending(run) == []


def test_a_device_that_was_bound_on_purpose_stays_bound_where_the_journal_has_no_room(
    machine: FakeMachine, run: Path, full: Callable[[], None]
) -> None:
    bind(RNG, sysfs=machine, run=run)
    with open_uio(RNG, sysfs=machine, run=run) as function:
        function.enable_bus_mastering()
        full()
    kept = Journal(run).read(RNG)
    assert kept is not None
    # Written over the longer one, so that nothing is undone twice.
    assert kept.opened is None
    assert kept.binding == Binding("virtio-pci", "", True)
    assert restore(RNG, sysfs=machine, run=run).driver == "virtio-pci"


def test_huge_pages_stay_reserved_while_a_device_that_was_not_stopped_may_write_to_them(
    machine: FakeMachine, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> str:
        raise CannotRun("cannot be stopped")

    assert supervise(RNG, driving(machine, run, lambda: None), sysfs=machine, run=run) == 0
    machine.modprobe(UIO_DRIVER)
    machine._unbind(RNG)
    machine.pool.joinpath("nr_hugepages").write_text("5\n")
    opened, pages = Opened(3, True, None), (Reservation(4, 1, 1),)
    Journal(run).write(Entry(RNG, 1, Binding("virtio-pci", "", False), opened, pages))
    with monkeypatch.context() as patch:
        patch.setattr("uvirtio.bus.uio.given_back.stop", refuse)
        with pytest.raises(CannotRun, match="cannot be stopped"):
            restore(RNG, sysfs=machine, run=run)
    # Its driver is back all the same, and what is left to do is still written down.
    assert machine.driver(RNG) == "virtio-pci"
    assert machine.number(machine.pool / "nr_hugepages") == 5
    left = Journal(run).read(RNG)
    assert left is not None
    assert (left.opened, left.binding, left.hugepages) == (opened, None, pages)
    restore(RNG, sysfs=machine, run=run)
    assert machine.number(machine.pool / "nr_hugepages") == 4


def entry(**changes: object) -> dict[str, Any]:
    """A journal of the other function, as this release writes it, with changes."""
    return {
        "version": 1, "bdf": OTHER, "pid": 1, "binding": {"driver": "virtio-pci", "override": "", "kept": False},
        "opened": {"command": 3, "driven": False, "msix": [MSIX_AT + 2, 1]}, "hugepages": [], **changes,
    }  # fmt: skip


_TABLED: dict[str, Any] = {"command": 3, "driven": False, "msix": [MSIX_AT + 2, 1]}

FORGED: dict[str, object] = {
    "not JSON": "{",
    "nothing": "",
    "not text": b"\xff\xfe\x00",
    "nested deeply": "[" * 20_000,
    "a list": [1],
    "a word": '"x"',
    "another version": entry(version=2),
    "a member missing": {"version": 1, "bdf": OTHER},
    "a member too many": entry(binding={"driver": None, "override": "", "kept": False, "shell": "x"}),
    "another function": entry(bdf=RNG),
    "no address": entry(bdf="../../x"),
    "a path for a driver": entry(binding={"driver": "../../../tmp", "override": "", "kept": False}),
    "a number for a driver": entry(binding={"driver": 5, "override": "", "kept": False}),
    "lines for an override": entry(binding={"driver": None, "override": "a\nb", "kept": False}),
    "a word for a flag": entry(binding={"driver": None, "override": "", "kept": "no"}),
    "a command too wide": entry(opened={"command": 1 << 20, "driven": False, "msix": None}),
    "a flag for a command": entry(opened={"command": True, "driven": False, "msix": None}),
    "a place in the header": entry(opened={"command": 3, "driven": False, "msix": [0x12, 0xFFFF]}),
    "a place beyond the space": entry(opened={"command": 3, "driven": False, "msix": [0x1002, 1]}),
    "three numbers": entry(opened={"command": 3, "driven": False, "msix": [0x62, 1, 1]}),
    "a table beside its place": entry(opened=_TABLED | {"table": {"bar": 6, "offset": 0, "entries": []}}),
    "a table that is not aligned": entry(opened=_TABLED | {"table": {"bar": 1, "offset": 4, "entries": []}}),
    "a table too long": entry(opened=_TABLED | {"table": {"bar": 1, "offset": 0, "entries": [[0, 0, 0]] * 2049}}),
    "an entry too wide": entry(opened=_TABLED | {"table": {"bar": 1, "offset": 0, "entries": [[0, 1 << 32, 0]]}}),
    "an entry too short": entry(opened=_TABLED | {"table": {"bar": 1, "offset": 0, "entries": [[0, 0]]}}),
    "pages that are words": entry(hugepages=[{"before": 0, "wanted": "all", "got": None}]),
    "pages below none": entry(hugepages=[{"before": 0, "wanted": -1, "got": 1}]),
    "a huge number": json.dumps(entry()).replace('"pid": 1', f'"pid": {"9" * 400}'),
}


@pytest.mark.parametrize("content", FORGED.values(), ids=FORGED)
def test_a_journal_that_this_cannot_have_written_is_refused_and_the_other_devices_are_given_back(
    machine: FakeMachine, run: Path, content: object
) -> None:
    machine.add(OTHER, number=4)
    bind(RNG, sysfs=machine, run=run)
    data = (
        content
        if isinstance(content, bytes)
        else (content if isinstance(content, str) else json.dumps(content)).encode()
    )
    (run / f"{OTHER}.json").write_bytes(data)
    config = machine.function(OTHER).joinpath("config").read_bytes()
    back, refused = restore_all(sysfs=machine, run=run)
    assert isinstance(back, Restored)
    assert back.driver == "virtio-pci"
    assert isinstance(refused, CannotRun)
    assert "damaged" in str(refused)
    assert machine.function(OTHER).joinpath("config").read_bytes() == config


def test_a_journal_that_this_has_written_is_accepted(machine: FakeMachine, run: Path) -> None:
    machine.add(OTHER, number=4)
    run.mkdir()
    (run / f"{OTHER}.json").write_text(json.dumps(entry()))
    (done,) = restore_all(sysfs=machine, run=run)
    assert isinstance(done, Restored)
    assert pending(run) == []
    whole = Entry(
        RNG,
        7,
        Binding("virtio-pci", "", True),
        Opened(7, True, (0x62, 0x8001), Table(1, 0x800, ((1 << 40, 0x41, 1), (0, 0, 1)))),
        (Reservation(0, 2, 2), Reservation(2, 1)),
    )
    Journal(run).write(whole)
    assert Journal(run).read(RNG) == whole


@pytest.mark.parametrize("kind", ["others may write", "a link", "a directory", "a pipe"])
def test_a_journal_that_is_not_a_file_of_roots_alone_is_refused_at_once(
    machine: FakeMachine, run: Path, kind: str
) -> None:
    path = run / f"{RNG}.json"
    run.mkdir()
    if kind == "others may write":
        path.write_text(json.dumps(entry(bdf=RNG)))
        path.chmod(0o666)
    elif kind == "a link":
        (run / "elsewhere").write_text(json.dumps(entry(bdf=RNG)))
        path.symlink_to(run / "elsewhere")
    elif kind == "a directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(CannotRun, match="journal"):
        restore(RNG, sysfs=machine, run=run)


def test_a_directory_that_others_may_write_to_holds_no_journals(machine: FakeMachine, run: Path) -> None:
    run.mkdir()
    run.chmod(0o777)
    with pytest.raises(CannotRun, match="others may write to it"):
        bind(RNG, sysfs=machine, run=run)
    assert machine.writes == []


def _vectors(machine: FakeMachine) -> bytes:
    return machine.function(RNG).joinpath("resource1").read_bytes()[:32]


def _fill(machine: FakeMachine) -> bytes:
    """A table with something in it, as a driver before has left it."""
    before = bytes(range(1, 33))
    with machine.function(RNG).joinpath("resource1").open("r+b") as file:
        file.write(before)
    return before


def test_the_vectors_are_in_the_journal_before_they_are_used_and_given_back(machine: FakeMachine, run: Path) -> None:
    before = _fill(machine)
    with open_uio(RNG, sysfs=machine, run=run) as function:
        assert function.open_vectors(256, events=True) == ()
        written = Journal(run).read(RNG)
        assert written is not None
        assert written.opened is not None
        assert written.opened.table is not None
        assert len(written.opened.table.entries) == 2
        function.bar(1).u32[0] = 0xFEE0_0000
        function.bar(1).u32[3] = 0
        assert _vectors(machine) != before
    assert _vectors(machine) == before
    assert machine.peek(RNG, MSIX_AT + 2, 2) == 0x8001


def test_the_vectors_of_a_process_that_was_killed_are_given_back(machine: FakeMachine, run: Path) -> None:
    before = _fill(machine)

    def work() -> int:
        function = open_uio(RNG, sysfs=machine, run=run)
        function.open_vectors(2, events=False)
        function.bar(1).u32[0] = 0xFEE0_0000
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    assert supervise(RNG, work, sysfs=machine, run=run) == 1
    assert _vectors(machine) == before
    assert pending(run) == []


def test_a_table_that_the_function_does_not_have_is_not_written(machine: FakeMachine, run: Path) -> None:
    machine.modprobe(UIO_DRIVER)
    machine._unbind(RNG)
    before = machine.function(RNG).joinpath("resource1").read_bytes()
    for table in (Table(1, 0x100, ((1, 1, 1),)), Table(4, 0, ((1, 1, 1),)), Table(1, 0, ((1, 1, 1),) * 3)):
        Journal(run).write(Entry(RNG, 1, None, Opened(3, False, (MSIX_AT + 2, 1), table)))
        (note,) = restore(RNG, sysfs=machine, run=run).notes
        assert "no MSI-X table" in note
    assert machine.function(RNG).joinpath("resource1").read_bytes() == before


def test_no_register_is_written_but_what_driving_a_virtio_device_changes(machine: FakeMachine, run: Path) -> None:
    machine.modprobe(UIO_DRIVER)
    machine._unbind(RNG)
    before = machine.function(RNG).joinpath("config").read_bytes()
    Journal(run).write(Entry(RNG, 1, None, Opened(0xFFFF, False, (MSIX_AT + 2, 0xFFFF))))
    restore(RNG, sysfs=machine, run=run)
    assert machine.command() == (Command.IO | Command.MEMORY | Command.INTX_DISABLE)
    assert machine.peek(RNG, MSIX_AT + 2, 2) == 0xC000 | (before[MSIX_AT + 2] | before[MSIX_AT + 3] << 8) & 0x3FFF
    # Where another capability stands, nothing is written.
    Journal(run).write(Entry(RNG, 1, None, Opened(3, False, (0x42, 0xFFFF))))
    (note,) = restore(RNG, sysfs=machine, run=run).notes
    assert "no MSI-X capability at 0x40" in note
    after = machine.function(RNG).joinpath("config").read_bytes()
    assert after[0x40:MSIX_AT] == before[0x40:MSIX_AT]
    assert after[: Header.COMMAND] == before[: Header.COMMAND]


#: What 0.1.0 wrote for a device that it had taken, and died over.
OF_0_1_0 = """{
 "version": 1,
 "bdf": "%s",
 "pid": 1,
 "binding": {
  "driver": "virtio-pci",
  "override": "",
  "kept": false
 },
 "opened": {
  "command": 7,
  "driven": true,
  "msix": null
 },
 "hugepages": []
}"""


def test_a_device_that_the_first_release_took_is_given_back_by_this_one(machine: FakeMachine, run: Path) -> None:
    bind(RNG, sysfs=machine, run=run)
    Journal(run).path(RNG).write_text(OF_0_1_0 % RNG)
    restore(RNG, sysfs=machine, run=run)
    assert machine.driver(RNG) == "virtio-pci"
    assert pending(run) == []
