"""The registers of a BAR: what cannot be mapped is explained, nothing outside is reached, everything is given back."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import periphery
import pytest
from periphery.mmio import MMIOError

from tests.unit.uio.fake import RNG, FakeMachine
from uvirtio.access.view import Region
from uvirtio.bus.uio.bars import open_bar, port_region
from uvirtio.errors import CannotRun, NoSuchDevice, PrivilegeMissing


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.EINVAL, CannotRun, f"strict I/O memory and a driver holds the device; take it first with `uvirtio bind {RNG}`"),
        (errno.EPERM, PrivilegeMissing, "the kernel is locked down"),
        (errno.EACCES, PrivilegeMissing, "no permission for mapping BAR 4"),
        (errno.ENODEV, NoSuchDevice, "disappeared during mapping BAR 4"),
        (errno.ENOMEM, CannotRun, "mapping BAR 4 of 0000:00:05.0 failed: Cannot allocate memory"),
    ],
)  # fmt: skip
def test_a_bar_that_cannot_be_mapped_is_explained(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[CannotRun], words: str
) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise MMIOError(number, os.strerror(number))

    monkeypatch.setattr(periphery, "MMIO", refuse)
    with pytest.raises(CannotRun) as raised:
        open_bar(machine, RNG, 4)
    assert type(raised.value) is kind
    assert words in str(raised.value)


def test_closing_a_bar_unmaps_it_once(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    unmapped: list[str] = []

    class Mapped:
        def __init__(self, base: int, size: int, path: str) -> None:
            self.path, self.mapping = path, mmap.mmap(-1, size)

        def close(self) -> None:
            self.mapping.close()  # fails while a view of it is left
            unmapped.append(self.path)

    monkeypatch.setattr(periphery, "MMIO", Mapped)
    bar = open_bar(machine, RNG, 4)
    views = [bar.region.u8, bar.region.u16, bar.region.u32]
    bar.close()
    bar.close()
    assert unmapped == [str(machine.function(RNG) / "resource4")]
    for view in views:
        with pytest.raises(ValueError, match="released"):
            view[0]


def test_ports_that_cannot_be_opened_are_explained(machine: FakeMachine) -> None:
    (machine.function(RNG) / "resource0").unlink()
    with pytest.raises(CannotRun, match="opening I/O BAR 0 of"):
        open_bar(machine, RNG, 0)


@pytest.fixture
def registers(tmp_path: Path) -> Iterator[tuple[Region, int]]:
    """Eight bytes of registers behind a descriptor, and more behind them in the same file."""
    path = tmp_path / "ports"
    path.write_bytes(bytes(range(16)))
    handle = os.open(path, os.O_RDWR)
    yield port_region(handle, 8), handle
    os.close(handle)


@pytest.mark.parametrize("offset", [-1, 8, 9])
def test_what_lies_outside_of_the_ports_is_neither_read_nor_written(registers: tuple[Region, int], offset: int) -> None:
    ports, handle = registers
    with pytest.raises(IndexError):
        ports.read(offset, 1)
    with pytest.raises(IndexError):
        ports.write(offset, 1, 0xAA)
    assert os.pread(handle, 16, 0) == bytes(range(16))


def test_the_last_port_is_reached(registers: tuple[Region, int]) -> None:
    ports, handle = registers
    assert ports.u8[7] == 7
    assert ports.u16[3] == 0x0706
    ports.u32[1] = 0x0D0C0B0A
    assert os.pread(handle, 16, 0) == bytes((0, 1, 2, 3, 10, 11, 12, 13, *range(8, 16)))


@pytest.mark.parametrize("gone", [errno.ENODEV, errno.ENXIO, errno.EIO])
def test_ports_of_a_device_that_went_away_read_all_ones_and_swallow_writes(
    registers: tuple[Region, int], monkeypatch: pytest.MonkeyPatch, gone: int
) -> None:
    ports, _ = registers

    def fail(*_: object) -> object:
        raise OSError(gone, os.strerror(gone))

    monkeypatch.setattr(os, "pread", fail)
    monkeypatch.setattr(os, "pwrite", fail)
    assert (ports.u8[0], ports.u16[0], ports.u32[0]) == (0xFF, 0xFFFF, 0xFFFFFFFF)
    ports.u16[0] = 1


def test_any_other_error_of_ports_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ports"
    path.write_bytes(bytes(8))
    for flags, words in ((os.O_RDONLY, "writing 2 bytes at 0x2"), (os.O_WRONLY, "reading 2 bytes at 0x2")):
        handle = os.open(path, flags)
        ports = port_region(handle, 8)
        with pytest.raises(CannotRun, match=words):
            ports.u16[1] = ports.u16[1] if flags == os.O_WRONLY else 5
        os.close(handle)
