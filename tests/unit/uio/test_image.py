"""Configuration space as bytes: what is read of it, what never is, and how far a list of capabilities is followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.uio.fake import COMMON_AT, MSIX_AT, RNG, FakeMachine
from uvirtio.bus.uio.image import read_image, read_rest
from uvirtio.spec.pci import Header, StructureCap

WINDOW_AT = 0x94
DATA = range(WINDOW_AT + StructureCap.PCI_CFG_DATA, WINDOW_AT + StructureCap.PCI_CFG_DATA + 4)


class Space:
    """A file as configuration space, and which bytes of it were read."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = bytearray((0xEE,)) * 256
        self.path = path
        self.read: list[int] = []
        really = os.pread

        def pread(handle: int, length: int, at: int) -> bytes:
            data = really(handle, length, at)
            self.read += range(at, at + len(data))
            return data

        monkeypatch.setattr(os, "pread", pread)

    def open(self) -> int:
        self.path.write_bytes(self.bytes)
        return os.open(self.path, os.O_RDONLY)


@pytest.fixture
def space(machine: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Space:
    found = Space(tmp_path / "config", monkeypatch)
    found.bytes[:] = (machine.function(RNG) / "config").read_bytes()
    for at in DATA:
        found.bytes[at] = 0xDA
    for at in range(0xB0, 0x100):
        found.bytes[at] = 0xEE
    return found


def test_the_header_and_each_capability_are_read_and_nothing_twice_or_between(space: Space) -> None:
    handle = space.open()
    image = read_image(handle)
    os.close(handle)
    assert len(image) == 256
    for at, size in ((0, 0x40), (0x40, 16), (MSIX_AT, 12), (0x70, 20), (0x84, 16), (WINDOW_AT, 16)):
        assert image[at : at + size] == space.bytes[at : at + size], hex(at)
    assert image[0x48:0x4C] == COMMON_AT.to_bytes(4, "little")
    assert image[0xB0:] == bytes(0x50)
    assert not set(DATA) & set(space.read), "a read of the window's data is an access to a register"
    assert max(space.read) < 0xB0


def test_the_rest_is_everything_but_the_data_of_the_window(space: Space) -> None:
    handle = space.open()
    whole = read_rest(handle, read_image(handle))
    os.close(handle)
    expected = bytearray(space.bytes)
    expected[DATA.start : DATA.stop] = bytes(4)
    assert whole == bytes(expected)
    assert not set(DATA) & set(space.read)
    assert max(space.read) == 255


@pytest.mark.parametrize("length", [0, 16, 64])
def test_no_more_is_made_up_than_the_kernel_gives(space: Space, length: int) -> None:
    del space.bytes[length:]
    handle = space.open()
    assert read_image(handle) == bytes(space.bytes)
    os.close(handle)


def test_a_list_that_comes_back_to_itself_ends(space: Space) -> None:
    space.bytes[MSIX_AT + 1] = 0x40
    handle = space.open()
    image = read_image(handle)
    os.close(handle)
    assert image[0x40:0x50] == space.bytes[0x40:0x50]
    assert image[0x70:0x84] == bytes(20)


@pytest.mark.parametrize("pointer", [0, 0x3C])
def test_a_pointer_that_leads_astray_ends_the_list(space: Space, pointer: int) -> None:
    space.bytes[Header.CAPABILITIES] = pointer
    handle = space.open()
    image = read_image(handle)
    os.close(handle)
    assert image[:0x40] == space.bytes[:0x40]
    assert image[0x44:0xFC] == bytes(0xFC - 0x44)


@pytest.mark.parametrize("extended", [b"", b"\xee" * 3840], ids=["PCI", "PCI Express"])
def test_a_capability_in_the_last_bytes_is_read_as_far_as_there_are_any(space: Space, extended: bytes) -> None:
    space.bytes[Header.CAPABILITIES] = 0xFC
    space.bytes[0xFC:] = bytes((9, 0, 20, 1)) + extended
    handle = space.open()
    image = read_image(handle)
    os.close(handle)
    assert len(image) == 256
    assert image[0xFC:] == bytes((9, 0, 20, 1))


def test_without_a_list_nothing_behind_the_header_is_read(space: Space) -> None:
    space.bytes[Header.STATUS] = 0
    handle = space.open()
    image = read_image(handle)
    os.close(handle)
    assert image[:0x40] == space.bytes[:0x40]
    assert image[0x44:] == bytes(256 - 0x44)
