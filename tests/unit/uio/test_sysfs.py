"""The real reads and writes of sysfs, on plain files: whole, in place, explained when they fail, nothing left open."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from uvirtio.bus.uio import sysfs as module
from uvirtio.bus.uio.sysfs import Sysfs
from uvirtio.errors import CannotRun, NoSuchDevice, PrivilegeMissing

BDF = "0000:00:05.0"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Sysfs]:
    """A function of plain files; at the end every descriptor that was opened is closed again."""
    at = tmp_path / "sys/bus/pci/devices" / BDF
    at.mkdir(parents=True)
    (at / "config").write_bytes(bytes(range(64)))
    (at / "driver_override").write_text("(null)\n")
    before = os.listdir("/proc/self/fd")
    yield Sysfs(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_an_attribute_is_written_in_place_and_never_made(machine: Sysfs) -> None:
    at = machine.function(BDF)
    machine.write(at / "driver_override", "uio")
    assert (at / "driver_override").read_text() == "uioll)\n"
    with pytest.raises(NoSuchDevice, match="is not there"):
        machine.write(at / "remove", "1")
    assert not (at / "remove").exists()


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EACCES, PrivilegeMissing), (errno.EPERM, PrivilegeMissing), (errno.ENODEV, NoSuchDevice), (errno.EBUSY, CannotRun)],
)  # fmt: skip
def test_a_write_that_the_kernel_refuses_is_explained(
    machine: Sysfs, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[CannotRun]
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", refuse)
    monkeypatch.setattr(os, "pwrite", refuse)
    for doing, write in (
        ("writing 'x' to", lambda: machine.write(machine.function(BDF) / "driver_override", "x\n")),
        ("writing 0x4 in the configuration space", lambda: machine.poke(BDF, 4, 2, 7)),
    ):
        with pytest.raises(CannotRun, match=doing) as raised:
            write()
        assert type(raised.value) is kind


def test_configuration_space_is_read_and_written_at_its_offset_with_its_width(machine: Sysfs) -> None:
    assert [machine.peek(BDF, 4, width) for width in (1, 2, 4)] == [0x04, 0x0504, 0x07060504]
    machine.poke(BDF, 6, 2, 0xABCD)
    assert (machine.function(BDF) / "config").read_bytes() == bytes((*range(6), 0xCD, 0xAB, *range(8, 64)))


@pytest.mark.parametrize(("width", "ones"), [(1, 0xFF), (2, 0xFFFF), (4, 0xFFFFFFFF)])
def test_all_ones_are_read_where_nothing_answers(machine: Sysfs, width: int, ones: int) -> None:
    assert machine.peek(BDF, 64, width) == ones
    assert machine.peek("0000:00:09.0", 0, width) == ones
    with pytest.raises(NoSuchDevice, match="there is no PCI function"):
        machine.poke("0000:00:09.0", 4, width, 0)


def test_a_table_is_read_to_its_end_and_an_attribute_to_the_end_of_its_page(machine: Sysfs) -> None:
    table = machine.root / "mounts"
    table.write_text("x" * 10_000 + "\n")
    assert len(machine.read(table)) == 10_000
    assert machine.read(machine.root / "nothing", "default") == "default"


def test_a_directory_that_is_held_open_is_closed_and_one_that_is_not_there_is_empty(machine: Sysfs) -> None:
    (machine.function(BDF) / "virtio0").mkdir()
    with machine.directory(BDF) as held:
        assert held.names(".") == ["config", "driver_override", "virtio0"]
        assert held.names("virtio0") == []
        assert held.names("virtio1") == []
        with held.file("config") as handle:
            assert os.pread(handle, 2, 1) == bytes((1, 2))
        with held.file("nothing") as handle:
            assert handle == -1
    with machine.directory("0000:00:09.0") as nothing:
        assert nothing.names(".") == []


def program(folder: Path, lines: str) -> str:
    path = folder / "modprobe"
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("exit 0", ""),
        ("echo to nobody; exit 0", ""),
        ("echo ' FATAL: not found ' >&2; exit 1", "FATAL: not found"),
        ("echo to nobody; exit 3", "modprobe ended with status 3"),
        ("echo a warning >&2; exit 0", ""),
        ('test "$1" = uio_pci_generic || echo "loads $1" >&2; test $# = 1', ""),
        ("read line && echo reads >&2; exit 0", ""),
    ],
)
def test_what_modprobe_complains_about_is_told(
    machine: Sysfs, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], lines: str, complaint: str
) -> None:
    path = program(machine.root, lines)
    monkeypatch.setattr(module, "find", lambda name, system: path if (name, system) == ("modprobe", True) else None)
    assert machine.modprobe("uio_pci_generic") == complaint
    assert capfd.readouterr() == ("", ""), "it speaks to us, not to the terminal"


def test_a_machine_without_modprobe_and_one_that_hangs_are_told(
    machine: Sysfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find", lambda name, system: None)
    assert machine.modprobe("x") == "there is no modprobe command (package kmod)"
    monkeypatch.setattr(module, "find", lambda name, system: "/bin/true")

    def hang(command: list[str], timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert machine.modprobe("x") == "modprobe did not end within 30 s"


def test_a_dry_run_loads_nothing(machine: Sysfs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a program is run"))
    told: list[str] = []
    assert Sysfs(machine.root, dry_run=True, tell=told.append).modprobe("vfio") == ""
    assert told == ["modprobe vfio"]
