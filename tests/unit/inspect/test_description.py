"""Descriptions of emulated devices, and of devices that lie, vanish or are half there."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from uvirtio.access.clock import SimulatedClock
from uvirtio.access.view import Region
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.bus.opening import open_function
from uvirtio.device import Device
from uvirtio.errors import DeviceGone
from uvirtio.pci.window import window_bar
from uvirtio.spec.devices import device_spec
from uvirtio.spec.dialects import V1_4
from uvirtio.spec.features import Feature, Features
from uvirtio.spec.ids import DeviceType
from uvirtio.suspend import Suspender
from uvirtio_tools.inspect.build import Place, describe_place
from uvirtio_tools.inspect.configuration import decode_fields, read_configuration
from uvirtio_tools.inspect.findings import feature_rows, offered_dialects
from uvirtio_tools.inspect.model import Description
from uvirtio_tools.inspect.render import capabilities_table
from uvirtio_tools.inspect.sources import describe_locator, describe_open


def _problems(number: int, offered: int, accepted: int = 0) -> dict[int, tuple[str, ...]]:
    return {row.bit: row.problems for row in feature_rows(number, offered, accepted) if row.problems}


def _mask(*bits: int) -> int:
    return Features.of(*bits).mask


V1 = Feature.VERSION_1


def test_an_untouched_device_is_told_without_problems() -> None:
    device = describe_locator("emulated:rng")
    assert (device.type_name, device.interface, device.source) == ("rng", "modern", "registers")
    assert device.status_text == "0x00 (reset)"
    assert device.suspend == ("1.4",)
    assert device.problems == ()
    assert [(queue.name, queue.owed) for queue in device.queues] == [("requestq", True)]


def test_looking_does_not_change_the_device_and_never_reads_isr() -> None:
    with EmulatedBus(parse("emulated:rng")) as bus:
        device = Device(bus)
        device.initialise(Features.of(Feature.EVENT_IDX))
        bus.log.entries.clear()
        describe_open(bus)
        touched = [entry for entry in bus.log.entries if entry.kind in ("read", "write")]
        assert touched
        assert not [entry for entry in touched if entry.space == "isr"]
        written = {entry.name for entry in touched if entry.kind == "write"}
        assert written <= {"device_feature_select", "driver_feature_select", "queue_select"}
        assert device.status.read() == 0x0F


def test_a_running_device_shows_what_was_accepted_and_where_its_rings_are() -> None:
    with open_function("emulated:rng?features=-RING_PACKED") as function:
        device = Device(function)
        negotiated = device.initialise(Features.of(Feature.EVENT_IDX, Feature.SUSPEND))
        queue = device.queues[0]
        buffer = function.dma.allocate(64)
        queue.add([], [buffer])
        queue.publish(notify=False)
        shown = describe_open(function, {0: queue.state()})
        assert shown.status_text == "0x0f (ACKNOWLEDGE DRIVER DRIVER_OK FEATURES_OK)"
        assert {row.bit for row in shown.features if row.accepted} == set(negotiated.accepted)
        assert {"F_EVENT_IDX", "F_SUSPEND", "F_VERSION_1"} <= {row.name for row in shown.features if row.accepted}
        row = shown.queues[0]
        assert (row.enabled, row.desc) == (True, queue.descriptor_address)
        assert row.ring is not None
        assert (row.ring.driver_index, row.ring.in_flight) == (1, 1)
        device.reset()


def test_a_bit_without_what_it_requires_is_flagged_where_it_is_offered_and_where_it_is_accepted() -> None:
    found = _problems(DeviceType.NET, _mask(V1, 60), _mask(V1, 60))
    assert found[60] == (
        "offered without NET_F_CTRL_VQ, which it requires",
        "accepted without NET_F_CTRL_VQ, which it requires",
    )
    assert 9 in _problems(DeviceType.NET, _mask(V1, 1, 9))  # GUEST_ECN wants one of two
    assert 9 not in _problems(DeviceType.NET, _mask(V1, 1, 8, 9))


def test_offers_that_contradict_the_specification_are_flagged() -> None:
    assert _problems(DeviceType.BLK, _mask(V1, 11))[11] == (
        "offered without BLK_F_FLUSH, which must be offered with it",
    )
    assert "offered together with IOMMU_F_BYPASS_CONFIG" in _problems(DeviceType.IOMMU, _mask(V1, 3, 6))[3][0]
    assert "two dialects" in _problems(DeviceType.RNG, _mask(V1, 42, 43))[42][0]
    assert "must offer it" in _problems(DeviceType.RNG, _mask(28))[V1][0]


def test_a_bit_that_was_accepted_without_being_offered_is_flagged() -> None:
    assert "not offered" in _problems(DeviceType.RNG, _mask(V1), _mask(V1, 43))[43][0]


def test_unknown_bits_are_shown_up_to_127() -> None:
    rows = {row.bit: row for row in feature_rows(DeviceType.RNG, _mask(V1, 5, 127), 0)}
    assert rows[5].origin == rows[127].origin == "unknown"
    assert rows[127].name == "unknown-127"


def test_bit_41_alone_is_no_suspend_dialect() -> None:
    assert offered_dialects(DeviceType.RNG, _mask(V1, 41)) == ()
    assert offered_dialects(DeviceType.NET, _mask(42), legacy=True) == ()
    assert offered_dialects(DeviceType.NET, _mask(42)) == ("chromium",)


# -- configuration -----------------------------------------------------------------------------------------------------


class _Bytes:
    """Registers over a bytearray that change after so many reads."""

    def __init__(self, data: bytes, moves: int = 0) -> None:
        self.data = bytearray(data)
        self.generation = 0
        self.moves = moves
        self.widths: list[tuple[int, int]] = []

    def read(self, offset: int, width: int) -> int:
        self.widths.append((offset, width))
        if self.moves and offset == 0:
            self.moves -= 1
            self.generation += 1
            self.data[0] ^= 0xFF
        return int.from_bytes(self.data[offset : offset + width], "little")

    def region(self) -> Region:
        return Region.calls(self.read, lambda *_: pytest.fail("configuration was written"), len(self.data))


def test_fields_are_read_with_their_own_width_and_wide_ones_in_two_halves() -> None:
    source = _Bytes(bytes(range(36)))
    read_configuration(
        source.region(), device_spec(DeviceType.SCSI), lambda: 0, SimulatedClock(), offered=0, status=0xB
    )
    assert (28, 2) in source.widths
    assert (32, 4) in source.widths
    wide = _Bytes(bytes(8))
    read_configuration(wide.region(), device_spec(DeviceType.VSOCK), lambda: 0, SimulatedClock(), offered=0, status=0xB)
    assert wide.widths == [(0, 4), (4, 4)]


def test_a_configuration_that_moves_is_read_again_until_its_generation_holds_still() -> None:
    source = _Bytes(bytes(8), moves=3)
    found = read_configuration(
        source.region(),
        device_spec(DeviceType.VSOCK),
        lambda: source.generation,
        SimulatedClock(),
        offered=0,
        status=0xB,
    )
    assert found.problems == ()
    assert found.raw == bytes(source.data)


def test_a_configuration_that_never_holds_still_is_told_and_not_waited_for() -> None:
    source = _Bytes(bytes(8), moves=10**9)
    clock = SimulatedClock()
    found = read_configuration(
        source.region(), device_spec(DeviceType.VSOCK), lambda: source.generation, clock, offered=0, status=0xB
    )
    assert "kept changing" in found.problems[0]
    assert clock.now() <= 2


def test_a_configuration_shorter_than_an_offered_field_is_a_problem() -> None:
    found = read_configuration(
        _Bytes(bytes(8)).region(),
        device_spec(DeviceType.NET),
        lambda: 0,
        SimulatedClock(),
        offered=_mask(3),
        status=0xB,
    )
    assert "too few for mtu (needed by NET_F_MTU)" in found.problems[0]
    assert len(found.problems) == 1
    assert {field.name: field.value for field in found.fields}["mtu"] is None


def test_writeback_is_not_read_before_features_ok() -> None:
    source = _Bytes(bytes(96))
    spec = device_spec(DeviceType.BLK)
    before = read_configuration(source.region(), spec, lambda: 0, SimulatedClock(), offered=_mask(11), status=3)
    assert (32, 1) not in source.widths
    assert {field.name: field.text for field in before.fields}["writeback"] == "not to be read before FEATURES_OK"
    read_configuration(source.region(), spec, lambda: 0, SimulatedClock(), offered=_mask(11), status=0xB)
    assert (32, 1) in source.widths


@pytest.mark.parametrize(
    ("number", "raw", "name", "value", "text"),
    [
        (DeviceType.NET, bytes.fromhex("525400aabbcc0100"), "mac", "52:54:00:aa:bb:cc", "52:54:00:aa:bb:cc"),
        (DeviceType.NET, bytes.fromhex("525400aabbcc0500"), "status", 5, "0x5 (LINK_UP unknown 0x4)"),
        (DeviceType.BLK, (1 << 33).to_bytes(8, "little"), "capacity", 1 << 33, "8589934592 512-byte sectors"),
        (DeviceType.FS, b"share".ljust(44, b"\0"), "tag", "share", "'share'"),
        (DeviceType.RPMB, bytes([4, 0, 7]), "max_wr_cnt", 0, "0 (no limit)"),
    ],
)
def test_values_are_told_in_words(number: int, raw: bytes, name: str, value: object, text: str) -> None:
    field = next(field for field in decode_fields(raw, device_spec(number), 0) if field.name == name)
    assert (field.value, field.text) == (value, text)


def _nine_p(raw: bytes, offered: int | None = 1) -> tuple[dict[str, object], tuple[str, ...]]:
    """Fields and problems of a 9P transport with this configuration."""
    region = Region.mapped(memoryview(bytearray(raw)))
    spec = device_spec(DeviceType.P9)
    read = read_configuration(region, spec, lambda: 0, SimulatedClock(), offered=offered, status=0xF)
    return {field.name: field.value for field in read.fields}, read.problems


def test_a_field_is_as_long_as_another_one_says() -> None:
    assert _nine_p(b"\x05\0shareJUNK") == ({"tag_len": 5, "tag": "share"}, ())
    assert _nine_p(b"\0\0JUNK") == ({"tag_len": 0, "tag": ""}, ())
    fields, problems = _nine_p(b"\xff\xffshare")
    assert fields == {"tag_len": 0xFFFF, "tag": None}
    assert "too few for tag" in problems[0]
    assert _nine_p(b"\x05\0share", 0) == ({"tag_len": None, "tag": None}, ())
    assert "too few for tag_len" in _nine_p(b"\x05")[1][0]


# -- the window ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rng", "blk", "net", "console", "balloon", "input"])
def test_a_look_breaks_none_of_the_rules_that_a_device_can_see(kind: str) -> None:
    with EmulatedBus(parse(f"emulated:{kind}")) as bus:
        describe_open(bus)
        assert [entry for entry in bus.log.entries if entry.kind == "fault"] == []


def test_the_pci_cfg_window_shows_the_same_as_the_mapped_registers() -> None:
    with open_function("emulated:rng") as function:
        direct = describe_open(function)
        at = next(entry.at for entry in direct.capabilities if entry.structure == "PCI_CFG")

        def bar(number: int) -> Region:
            return window_bar(function.config, at, number, 0x4000)

        seen = describe_place(
            Place(function.locator, function.bus, "PCI_CFG window", function.config, bar, function.clock)
        )
    assert (seen.offered, seen.status, seen.queues) == (direct.offered, direct.status, direct.queues)
    assert seen.source == "PCI_CFG window"


# -- devices that are not what they should be --------------------------------------------------------------------------


def _twisted(change: Callable[[bytearray], None]) -> Description:
    """An emulated entropy device whose configuration space was tampered with."""
    with open_function("emulated:rng") as function:
        image = bytearray(b"".join(function.config.u32[at].to_bytes(4, "little") for at in range(64)))
        change(image)
        place = Place(
            "twisted", "emulated", "registers", Region.mapped(memoryview(bytes(image))), function.bar, function.clock
        )
        return describe_place(place)


def test_a_loop_in_the_capability_list_is_told_and_the_rest_still_shown() -> None:
    def loop(image: bytearray) -> None:
        at = image[0x34]
        while image[at + 1]:
            at = image[at + 1]
        image[at + 1] = image[0x34]

    device = _twisted(loop)
    assert any("loop" in problem for problem in device.problems)
    assert device.queues


def test_a_structure_outside_of_its_bar_is_told_and_the_registers_are_left_alone() -> None:
    def far(image: bytearray) -> None:
        for at in range(0x40, 0xF0, 4):
            if image[at] == 9 and image[at + 3] == 1:
                image[at + 8 : at + 12] = (1 << 30).to_bytes(4, "little")

    device = _twisted(far)
    assert any("beyond BAR 4" in problem for problem in device.problems)
    assert any("no usable COMMON structure" in problem for problem in device.problems)
    assert device.status is None
    assert device.capabilities


def test_structures_and_capabilities_that_overlap_are_told() -> None:
    def overlap(image: bytearray) -> None:
        for at in range(0x40, 0xF0, 4):
            if image[at] == 9 and image[at + 3] == 3:
                image[at + 8 : at + 12] = bytes(4)  # ISR on top of the common configuration

    device = _twisted(overlap)
    assert any("COMMON and ISR overlap in BAR 4 at 0x0" in problem for problem in device.problems)

    def reach(image: bytearray) -> None:
        at = next(at for at in range(0x40, 0xF0, 4) if image[at] == 9 and image[at + 3] == 1)
        image[at + 2] = 0x20

    assert any("reaches into the one at" in problem for problem in _twisted(reach).problems)


def test_shared_memory_and_vendor_capabilities_are_decoded() -> None:
    def add(image: bytearray) -> None:
        last = image[0x34]
        while image[last + 1]:
            last = image[last + 1]
        image[last + 1] = 0xA0
        shared = bytes([9, 0xC0, 24, 8, 2, 7, 0, 0]) + b"".join(
            value.to_bytes(4, "little") for value in (0, 0x1000, 1, 2)
        )
        image[0xA0 : 0xA0 + 24] = shared
        image[0xC0:0xC8] = bytes([9, 0, 8, 9]) + (0x1234).to_bytes(2, "little") + bytes([5, 6])

    device = _twisted(add)
    shared = next(entry for entry in device.capabilities if entry.structure == "SHARED_MEMORY")
    assert (shared.structure_id, shared.offset, shared.length) == (7, 1 << 32, 2 << 32 | 0x1000)
    assert "BAR 2 is not there" in shared.problems
    vendor = next(entry for entry in device.capabilities if entry.structure == "VENDOR")
    assert (vendor.vendor, vendor.raw) == (0x1234, "0900080934120506")


@pytest.mark.parametrize("number", [0, 1, 7])
def test_a_shared_memory_region_is_shown_with_its_id_and_no_other_structure_with_a_0(number: int) -> None:
    def add(image: bytearray) -> None:
        last = image[0x34]
        while image[last + 1]:
            last = image[last + 1]
        image[last + 1] = 0xA0
        image[0xA0:0xB8] = bytes([9, 0, 24, 8, 4, number]) + bytes(6) + (0x1000).to_bytes(4, "little") + bytes(8)

    screen = Console(file=StringIO(), width=120)
    screen.print(capabilities_table(_twisted(add)))
    assert isinstance(screen.file, StringIO)
    rows = {row.split()[2]: row for row in screen.file.getvalue().splitlines() if "VirtIO: " in row}
    assert f"id {number}" in rows["SHARED_MEMORY"]
    assert not any("id 0" in row for name, row in rows.items() if name != "SHARED_MEMORY")


def test_memory_decoding_that_is_off_is_told_instead_of_all_ones() -> None:
    def off(image: bytearray) -> None:
        image[4] &= ~2

    device = _twisted(off)
    assert any("decoding is off" in problem for problem in device.problems)
    assert device.status is None


def test_a_device_that_reads_all_ones_is_told_as_gone_or_busy() -> None:
    with open_function("emulated:rng") as function:
        ones = Region.calls(lambda _offset, width: (1 << 8 * width) - 1, lambda *_: None, 0x4000)
        place = Place("gone", "emulated", "registers", function.config, lambda _number: ones, function.clock)
        device = describe_place(place)
    assert device.status == 0xFF
    assert any("gone, busy" in problem for problem in device.problems)
    assert device.queues == ()


def test_a_function_that_went_away_is_an_error() -> None:
    ones = Region.calls(lambda _offset, width: (1 << 8 * width) - 1, lambda *_: None, 256)
    with pytest.raises(DeviceGone):
        describe_place(Place("gone", "uio", "registers", ones, lambda number: ones, SimulatedClock()))


def test_a_suspended_device_is_still_told() -> None:
    with open_function("emulated:rng") as function:
        device = Device(function)
        device.initialise(Features.of(Feature.SUSPEND))
        Suspender(device, V1_4).suspend()
        shown = describe_open(function)
        assert shown.status_text == "0x1b (ACKNOWLEDGE DRIVER FEATURES_OK SUSPEND)"
        assert shown.type_name == "rng"
        device.reset()
