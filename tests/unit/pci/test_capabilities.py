"""The capability walk survives whatever a device writes into its list, and tells what is wrong."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from uvirtio.access.view import Region
from uvirtio.errors import DeviceGone, NotVirtio
from uvirtio.pci.capabilities import first_usable, msix_offset, walk
from uvirtio.pci.header import read_bars, read_identity
from uvirtio.spec.pci import StructureType


def config_space(content: dict[int, bytes], *, device: int = 0x1044, first: int = 0x40) -> Region:
    memory = bytearray(256)
    struct.pack_into("<HHHH", memory, 0, 0x1AF4, device, 0, 0x10)
    memory[0x34] = first
    for at, data in content.items():
        memory[at : at + len(data)] = data
    return Region.mapped(memoryview(memory))


def structure(
    kind: int,
    *,
    following: int = 0,
    bar: int = 4,
    offset: int = 0,
    length: int = 0x100,
    size: int = 16,
    extra: bytes = b"",
) -> bytes:
    return bytes([9, following, size + len(extra), kind, bar, 0, 0, 0]) + struct.pack("<II", offset, length) + extra


def bars(**sizes: int) -> Callable[[int], int | None]:
    return lambda number: sizes.get(f"bar{number}")


BAR4 = bars(bar4=0x4000)


def test_a_clean_list_gives_every_structure_in_order_and_no_problem() -> None:
    config = config_space(
        {
            0x40: structure(1, following=0x50),
            0x50: structure(3, following=0x60, offset=0x1000, length=1),
            0x60: structure(2, following=0x80, offset=0x3000, length=0x1000, extra=struct.pack("<I", 4)),
            0x80: bytes([0x11, 0, 3, 0x80]) + bytes(8),
        }
    )
    found, problems = walk(config, BAR4)
    assert problems == []
    assert [c.structure.type_name if c.structure else c.id for c in found] == ["COMMON", "ISR", "NOTIFY", 0x11]
    assert all(not capability.problems for capability in found)
    notify = first_usable(found, StructureType.NOTIFY, "test")
    assert notify is not None
    assert (notify.offset, notify.length, notify.multiplier) == (0x3000, 0x1000, 4)
    assert msix_offset(found) == 0x82


@pytest.mark.parametrize("following", [0x40, 0x50])
def test_a_loop_in_the_list_ends_and_is_named(following: int) -> None:
    config = config_space({0x40: structure(1, following=0x50), 0x50: structure(3, following=following)})
    found, problems = walk(config, BAR4)
    assert len(found) == 2
    assert f"comes back to {following:#x}" in problems[0]


@pytest.mark.parametrize("following", [0x04, 0x3C])
def test_a_pointer_into_the_header_ends_the_walk_and_is_named(following: int) -> None:
    found, problems = walk(config_space({0x40: structure(1, following=following)}), BAR4)
    assert len(found) == 1
    assert f"leads to {following:#x}" in problems[0]


def test_a_capability_that_runs_over_the_end_of_the_space_is_cut_and_named() -> None:
    found, _ = walk(config_space({0xFC: bytes([9, 0, 16, 1])}, first=0xFC), BAR4)
    assert found[0].structure is not None
    assert any("below" in problem for problem in found[0].problems)


@pytest.mark.parametrize(
    ("capability", "words"),
    [
        (structure(1, bar=6), "bar 6 is reserved"),
        (structure(1, bar=2), "BAR 2 is not there"),
        (structure(1, offset=0x3FF0), "beyond BAR 4"),
        (structure(1, offset=0xFFFF_FFF0, length=0xFFFF_FFFF), "beyond BAR 4"),
        (structure(1, length=0x20), "below the 0x38 bytes"),
        (structure(1, offset=2), "not a multiple of 4"),
        (structure(6), "cfg_type 6 is reserved"),
        (structure(2), "cap_len is 16, at least 20"),
        (bytes([9, 0, 8, 1, 4, 0, 0, 0]), "cap_len is 8"),
    ],
)
def test_a_bad_structure_is_kept_for_display_with_its_problem_and_not_used(capability: bytes, words: str) -> None:
    found, _ = walk(config_space({0x40: capability}), BAR4)
    assert any(words in problem for problem in found[0].problems)
    with pytest.raises(NotVirtio, match="no usable COMMON structure"):
        first_usable(found, StructureType.COMMON, "test")


def test_the_first_usable_structure_of_a_type_wins() -> None:
    config = config_space(
        {
            0x40: structure(1, following=0x50, bar=0),
            0x50: structure(1, following=0x60, offset=0x100),
            0x60: structure(1, offset=0x200),
        }
    )
    found, _ = walk(config, BAR4)
    chosen = first_usable(found, StructureType.COMMON, "test")
    assert chosen is not None
    assert chosen.offset == 0x100


def test_a_device_without_a_capability_list_has_none() -> None:
    config = config_space({})
    config.u16[3] = 0
    assert walk(config, BAR4) == ([], [])


def test_shared_memory_and_vendor_capabilities_are_decoded() -> None:
    config = config_space(
        {
            0x40: structure(8, following=0x60, offset=0x10, length=0x20, size=16, extra=struct.pack("<II", 1, 2)),
            0x60: bytes([9, 0, 8, 9]) + struct.pack("<HH", 0x1234, 7),
        }
    )
    found, _ = walk(config, bars(bar4=1 << 40))
    shared, vendor = (capability.structure for capability in found)
    assert shared is not None
    assert (shared.offset, shared.length) == (1 << 32 | 0x10, 2 << 32 | 0x20)
    assert vendor is not None
    assert vendor.vendor == 0x1234
    assert not found[1].problems


@pytest.mark.parametrize(
    ("device", "subsystem", "name"),
    [(0x1044, 0, "rng"), (0x1005, 4, "rng"), (0x1000, 1, "net"), (0x107F, 0, "type-63")],
)
def test_identity_gives_the_device_type(device: int, subsystem: int, name: str) -> None:
    config = config_space({0x2E: struct.pack("<H", subsystem)}, device=device)
    identity = read_identity(config, "test")
    assert identity.type_name == name
    assert identity.transitional_id == (device < 0x1040)


def test_a_function_of_another_vendor_is_refused_by_its_ids() -> None:
    config = config_space({0: struct.pack("<HH", 0x8086, 0x100E)})
    with pytest.raises(NotVirtio, match="8086:100e"):
        read_identity(config, "test")


def test_all_ones_in_configuration_space_is_a_device_that_is_gone() -> None:
    with pytest.raises(DeviceGone):
        read_identity(Region.mapped(memoryview(bytearray(b"\xff" * 256))), "test")


def test_bars_are_decoded_by_kind_and_width() -> None:
    config = config_space({0x10: struct.pack("<IIIIII", 0xC001, 0xFEBF0000, 0, 0, 0xE000000C, 0x1)})
    first, second, third = read_bars(config)
    assert (first.number, first.io, first.address) == (0, True, 0xC000)
    assert (second.number, second.kind, second.address) == (1, "memory 32-bit", 0xFEBF0000)
    assert (third.number, third.kind, third.address) == (4, "memory 64-bit prefetchable", 0x1_E000_0000)


def test_the_data_field_of_the_window_is_not_read_as_that_would_be_an_access_to_a_bar() -> None:
    memory = config_space(
        {
            0x40: structure(5, following=0x60, length=1, extra=b"\xaa" * 4),
            0x60: structure(1),
        }
    )
    read: list[int] = []

    def reading(offset: int, width: int) -> int:
        read.extend(range(offset, offset + width))
        return memory.read(offset, width)

    config = Region.calls(reading, lambda offset, width, value: None, 256)
    found, problems = walk(config, BAR4)
    assert [(entry.structure.type_name, entry.problems) for entry in found if entry.structure] == [
        ("PCI_CFG", ()),
        ("COMMON", ()),
    ]
    assert (problems, found[0].raw[16:]) == ([], bytes(4))
    assert not set(read) & set(range(0x50, 0x54))
