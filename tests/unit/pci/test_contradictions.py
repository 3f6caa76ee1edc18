"""Which of two sources counts, and that the contradiction is told."""

from __future__ import annotations

import pytest

from uvirtio.pci.contradictions import in_bars, in_ids, in_registers, with_kernel
from uvirtio.pci.header import Bar, Identity
from uvirtio.spec.features import Feature, Features
from uvirtio.spec.ids import DeviceType, device_type


def identity(device: int, subsystem: int, revision: int = 0, class_code: int = 0x00FF00) -> Identity:
    return Identity(0x1AF4, device, revision, class_code, 0x1AF4, subsystem, 1)


@pytest.mark.parametrize(
    ("device", "subsystem", "kind", "said"),
    [
        (0x1000, DeviceType.NET, DeviceType.NET, None),
        (0x1009, DeviceType.P9, DeviceType.P9, None),
        # An id without a row in the table says nothing against any subsystem id.
        (0x1012, DeviceType.INPUT, DeviceType.INPUT, None),
        (0x1000, DeviceType.BLK, DeviceType.BLK, "0x1000 is a net device's, the subsystem id 0x2 a blk device's"),
        (
            0x1001,
            DeviceType.VSOCK,
            DeviceType.VSOCK,
            "0x1001 is a blk device's, the subsystem id 0x13 a vsock device's",
        ),
        (0x1005, 0, DeviceType.RNG, r"subsystem id 0x0 is no device type.* 0x1005 is a rng device's, and that counts"),
        (0x1003, 0x1100, DeviceType.CONSOLE, r"subsystem id 0x1100 is no device type.* 0x1003 is a console device's"),
        (0x1030, 63, 63, "subsystem id 0x3f is no device type"),
    ],
)
def test_a_transitional_devices_type_is_its_subsystem_id(
    device: int, subsystem: int, kind: int, said: str | None
) -> None:
    function = identity(device, subsystem)
    assert (function.type, device_type(device, subsystem)) == (kind, kind)
    problems = list(in_ids(function))
    assert len(problems) == (said is not None)
    if said is not None:
        with pytest.raises(AssertionError, match=said):
            raise AssertionError(problems[0])


@pytest.mark.parametrize(
    ("function", "kind", "said"),
    [
        (identity(0x1042, 0x1100, 1), "blk", []),
        (identity(0x1042, 4, 1), "blk", ["subsystem id 0x4 is a transitional device's"]),
        (identity(0x1042, 0x1100, 0), "blk", ["revision 0 is a transitional device's"]),
        (identity(0x1001, 2, 1), "blk", ["revision 1 is a modern device's"]),
        # Without sysfs's files nothing is said about what is not known.
        (identity(0x1042, -1, -1), "blk", []),
    ],
)
def test_modern_or_transitional_is_what_the_pci_device_id_says(function: Identity, kind: str, said: list[str]) -> None:
    assert function.type_name == kind
    problems = list(in_ids(function))
    assert len(problems) == len(said)
    assert all(words in problem for words, problem in zip(said, problems, strict=True))


@pytest.mark.parametrize(
    ("kind", "class_code", "told"),
    [
        (DeviceType.NET, 0x020000, False),
        (DeviceType.NET, 0x010000, True),
        (DeviceType.BLK, 0x010000, False),
        (DeviceType.SCSI, 0x010000, False),
        (DeviceType.BLK, 0x020000, True),
        (DeviceType.GPU, 0x030000, False),
        (DeviceType.GPU, 0x038000, False),
        # A class that is nobody's, or of a type that has none of its own, says nothing.
        (DeviceType.NET, 0x00FF00, False),
        (DeviceType.NET, 0xFF0000, False),
        (DeviceType.RNG, 0x020000, False),
        (DeviceType.VSOCK, 0x028000, False),
    ],
)
def test_a_class_code_of_another_type_is_told_and_nothing_follows_from_it(
    kind: int, class_code: int, told: bool
) -> None:
    function = identity(0x1040 + kind, 0x1100, 1, class_code)
    problems = list(in_ids(function))
    assert function.type == kind
    assert len(problems) == told
    assert all(f"class code {class_code:06x}" in problem for problem in problems)


def test_the_ids_that_the_kernel_found_a_function_by_count() -> None:
    now, found = Identity(0, 0, 0, 0, 0, 0, 1), identity(0x1041, 0x1100, 1, 0x020000)
    counted, problems = with_kernel(now, found)
    assert counted == found
    assert [problem.partition(" reads")[0] for problem in problems] == [
        "the vendor id", "the PCI device id", "the subsystem vendor id", "the subsystem id", "the revision",
        "the class code",
    ]  # fmt: skip
    # An old kernel without some of the files knows nothing of what they would say.
    assert with_kernel(found, Identity(0x1AF4, 0x1041, -1, -1, -1, -1, 0)) == (found, [])


def test_a_bar_that_lost_its_address_is_told() -> None:
    bars = [Bar(0, True, False, False, 0xC000), Bar(1, False, False, False, 0xFE00_0000)]
    assert list(in_bars(bars, {1: 0xFE00_0000})) == []
    (problem,) = in_bars(bars, {1: 0xFE00_0000, 4: 1 << 34})
    assert "BAR 4 reads 0x0, but the kernel has placed it at 0x400000000" in problem


def test_registers_beyond_their_structure_and_vectors_beyond_their_table_are_told() -> None:
    offered = Features.of(Feature.RING_RESET, Feature.NOTIF_CONFIG_DATA, Feature.ADMIN_VQ).mask
    assert list(in_registers(0x40, offered, {"config_msix_vector": 1}, 2)) == []
    problems = list(in_registers(0x3A, offered, {"config_msix_vector": 2, "queue_msix_vector of queue 0": None}, 2))
    assert [problem.partition(" is ")[0] for problem in problems] == ["RING_RESET", "ADMIN_VQ", "config_msix_vector"]
    assert list(in_registers(0x38, 0, {"config_msix_vector": 7}, 0)) == []
