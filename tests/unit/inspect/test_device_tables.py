"""The tables of the device types hold together, and agree with declarations written down a second time."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from uvirtio.spec.devices import TYPES, describe_feature, device_spec, queue_name
from uvirtio.spec.devices.common import COMMON, DRAFTS
from uvirtio.spec.features import COMMON_DEPENDENCIES, Feature, Features
from uvirtio.spec.ids import DeviceType

SPECS = [device_spec(number) for number in TYPES]
IDS = [TYPES[number] for number in TYPES]

#: Configuration structures as C declares them: type, name, count. A name in brackets is padding.
LAYOUTS = {
    "net": "u8 mac 6, le16 status, le16 max_virtqueue_pairs, le16 mtu, le32 speed, u8 duplex, u8 rss_max_key_size, "
    "le16 rss_max_indirection_table_length, le32 supported_hash_types, le32 supported_tunnel_types",
    "blk": "le64 capacity, le32 size_max, le32 seg_max, le16 geometry.cylinders, u8 geometry.heads, "
    "u8 geometry.sectors, le32 blk_size, u8 topology.physical_block_exp, u8 topology.alignment_offset, "
    "le16 topology.min_io_size, le32 topology.opt_io_size, u8 writeback, u8 [unused0], le16 num_queues, "
    "le32 max_discard_sectors, le32 max_discard_seg, le32 discard_sector_alignment, le32 max_write_zeroes_sectors, "
    "le32 max_write_zeroes_seg, u8 write_zeroes_may_unmap, u8 [unused1] 3, le32 max_secure_erase_sectors, "
    "le32 max_secure_erase_seg, le32 secure_erase_sector_alignment, le32 zoned.zone_sectors, "
    "le32 zoned.max_open_zones, le32 zoned.max_active_zones, le32 zoned.max_append_sectors, "
    "le32 zoned.write_granularity, u8 zoned.model",
    "console": "le16 cols, le16 rows, le32 max_nr_ports, le32 emerg_wr",
    "rng": "",
    "balloon": "le32 num_pages, le32 actual, le32 free_page_hint_cmd_id, le32 poison_val",
    "scsi": "le32 num_queues, le32 seg_max, le32 max_sectors, le32 cmd_per_lun, le32 event_info_size, "
    "le32 sense_size, le32 cdb_size, le16 max_channel, le16 max_target, le32 max_lun",
    "p9": "le16 tag_len, u8 tag",  # as long as the field before it says
    "gpu": "le32 events_read, le32 events_clear, le32 num_scanouts, le32 num_capsets, le32 blob_alignment",
    "rtc": "",
    "input": "u8 select, u8 subsel, u8 size, u8 [reserved] 5, u8 u 128",
    "vsock": "le64 guest_cid",
    "crypto": "le32 status, le32 max_dataqueues, le32 crypto_services, le32 cipher_algo_l, le32 cipher_algo_h, "
    "le32 hash_algo, le32 mac_algo_l, le32 mac_algo_h, le32 aead_algo, le32 max_cipher_key_len, "
    "le32 max_auth_key_len, le32 akcipher_algo, le64 max_size",
    "iommu": "le64 page_size_mask, le64 input_range.start, le64 input_range.end, le32 domain_range.start, "
    "le32 domain_range.end, le32 probe_size, u8 bypass",
    "mem": "le64 block_size, le16 node_id, u8 [padding] 6, le64 addr, le64 region_size, le64 usable_region_size, "
    "le64 plugged_size, le64 requested_size",
    "sound": "le32 jacks, le32 streams, le32 chmaps, le32 controls",
    "fs": "u8 tag 36, le32 num_request_queues, le32 notify_buf_size",
    "pmem": "le64 start, le64 size",
    "rpmb": "u8 capacity, u8 max_wr_cnt, u8 max_rd_cnt",
    "scmi": "",
    "i2c": "",
    "can": "le16 status",
    "gpio": "le16 ngpio, u8 [padding] 2, le32 gpio_names_size",
    "spi": "u8 cs_max_number, u8 cs_change_supported, u8 tx_nbits_supported, u8 rx_nbits_supported, "
    "le32 bits_per_word_mask, le32 mode_func_supported, le32 max_freq_hz, le32 max_word_delay_ns, "
    "le32 max_cs_setup_ns, le32 max_cs_hold_ns, le32 max_cs_inactive_ns",
    "media": "le32 device_caps, le32 device_type, u8 card 32",
}
_WIDTHS = {"u8": 1, "le16": 2, "le32": 4, "le64": 8}


def _offsets(layout: str) -> list[tuple[str, int, int, int]]:
    found, at = [], 0
    for item in filter(None, layout.split(", ")):
        kind, name, *count = item.split()
        width, elements = _WIDTHS[kind], int(count[0]) if count else 1
        if not name.startswith("["):
            found.append((name, at, width, elements))
        at += width * elements
    return found


def test_every_type_has_a_layout_to_be_held_against() -> None:
    assert set(LAYOUTS) == set(TYPES.values())


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_configuration_fields_lie_where_the_structure_puts_them(spec) -> None:
    mine = [(field.name, field.offset, field.width, field.count) for field in spec.fields]
    assert mine == _offsets(LAYOUTS[TYPES[spec.number]])


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_fields_are_naturally_aligned_and_do_not_overlap(spec) -> None:
    end = 0
    for field in spec.fields:
        assert field.width in (1, 2, 4, 8)
        assert field.offset % field.width == 0, field.name
        assert field.offset >= end, f"{field.name} overlaps what stands before it"
        end = field.offset + field.size


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_bits_fields_and_queues_are_not_named_twice(spec) -> None:
    for values in (
        [bit.number for bit in spec.features],
        [bit.name for bit in spec.features],
        [field.name for field in spec.fields],
        [queue.name for queue in spec.queues],
    ):
        assert len(values) == len(set(values)), values
    assert [bit.number for bit in spec.features] == sorted(bit.number for bit in spec.features)


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_what_a_feature_depends_on_is_a_feature(spec) -> None:
    known = {bit.number for bit in spec.features} | {bit.number for bit in COMMON}
    for bit in spec.features:
        named = (*bit.requires, *bit.requires_any, *bit.offer_with, *bit.offer_should, *bit.excludes)
        assert set(named) <= known, bit.name
        assert bit.number not in named, f"{bit.name} depends on itself"
    for item in (*spec.fields, *spec.queues):
        assert set(item.features) <= known, item.name


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_a_types_bits_stay_in_the_ranges_that_are_left_to_types(spec) -> None:
    for bit in spec.features:
        assert 0 <= bit.number <= 23 or bit.number in (41, 42) or 50 <= bit.number <= 127, bit.name


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_every_bit_is_told_in_one_sentence(spec) -> None:
    for bit in (*spec.features, *COMMON, *DRAFTS):
        assert bit.meaning.endswith((".", ".)")), bit.name
        assert not bit.name.startswith("VIRTIO_")


def test_the_common_bits_are_those_of_the_enumeration_with_its_dependencies() -> None:
    assert {bit.number for bit in COMMON} == set(Feature)
    assert {bit.number: bit.requires for bit in COMMON if bit.requires} == COMMON_DEPENDENCIES


@pytest.mark.parametrize("number", list(DeviceType))
def test_every_device_type_of_the_specification_has_a_title(number: DeviceType) -> None:
    assert not device_spec(number).title.startswith("unknown")


def test_bit_41_is_the_administration_queue_except_on_a_legacy_network_device() -> None:
    assert describe_feature(DeviceType.BLK, 41).name == "F_ADMIN_VQ"
    assert describe_feature(DeviceType.NET, 41).name == "F_ADMIN_VQ"
    assert describe_feature(DeviceType.NET, 41, legacy=True).name == "NET_F_GUEST_RSC4"
    assert describe_feature(DeviceType.NET, 41, legacy=True).dialect == ""


def test_bits_42_and_43_name_their_suspend_dialects() -> None:
    assert describe_feature(DeviceType.RNG, 42).dialect == "chromium"
    assert describe_feature(DeviceType.RNG, 43).dialect == "1.4"
    assert describe_feature(DeviceType.NET, 42, legacy=True).dialect == ""


def test_a_bit_that_nobody_defined_is_unknown() -> None:
    for bit in (3, 23, 44, 49, 71, 127):
        assert not describe_feature(DeviceType.BLK, bit).known
        assert describe_feature(DeviceType.BLK, bit).name == f"unknown-{bit}"


def test_queues_are_named_by_what_was_negotiated() -> None:
    def names(number: int, total: int, *features: int) -> list[str]:
        found = [queue_name(number, index, total, Features.of(*features)) for index in range(total)]
        return [queue.name if queue else "-" for queue in found]

    assert names(DeviceType.NET, 5, 17, 22) == ["receiveq1", "transmitq1", "receiveq2", "transmitq2", "controlq"]
    assert names(DeviceType.NET, 3, 17) == ["receiveq1", "transmitq1", "controlq"]
    assert names(DeviceType.NET, 2) == ["receiveq1", "transmitq1"]
    assert names(DeviceType.FS, 3, 0) == ["hiprio", "notification queue", "requestq1"]
    assert names(DeviceType.FS, 3) == ["hiprio", "requestq1", "requestq2"]
    assert names(DeviceType.CRYPTO, 3) == ["dataq1", "dataq2", "controlq"]
    assert names(DeviceType.CONSOLE, 6, 1)[4:] == ["receiveq(port1)", "transmitq(port1)"]
    assert names(DeviceType.RNG, 2) == ["requestq", "-"]
    assert names(DeviceType.BALLOON, 3) == ["inflateq", "deflateq", "-"]
    assert names(DeviceType.BALLOON, 5, 1, 3, 5)[3:] == ["free_page_vq", "reporting_vq"]
    assert names(DeviceType.BALLOON, 4, 1, 5)[2:] == ["statsq", "reporting_vq"]


@pytest.mark.parametrize(
    ("total", "features", "names"),
    [
        # Numbered as the text says: queues 2 and 3 are not there, or of no use.
        (5, (1, 5), ["inflateq", "deflateq", "statsq", "-", "reporting_vq"]),
        (5, (5,), ["inflateq", "deflateq", "-", "-", "reporting_vq"]),
        (4, (3,), ["inflateq", "deflateq", "-", "free_page_vq"]),
        # Numbered without gaps, as QEMU does it.
        (4, (3, 5), ["inflateq", "deflateq", "free_page_vq", "reporting_vq"]),
        (3, (5,), ["inflateq", "deflateq", "reporting_vq"]),
        (3, (3,), ["inflateq", "deflateq", "free_page_vq"]),
    ],
)
def test_a_balloon_numbers_its_queues_in_one_way_or_the_other(
    total: int, features: tuple[int, ...], names: list[str]
) -> None:
    found = [queue_name(DeviceType.BALLOON, index, total, Features.of(*features)) for index in range(total)]
    assert [queue.name if queue else "-" for queue in found] == names


def test_queues_are_numbered_by_what_is_offered_and_named_by_what_was_accepted() -> None:
    offered, accepted = Features.of(1, 5), Features.of(5)
    found = [queue_name(DeviceType.BALLOON, index, 4, accepted, offered) for index in range(4)]
    assert [queue.name if queue else "-" for queue in found] == ["inflateq", "deflateq", "-", "reporting_vq"]


@pytest.mark.parametrize("number", TYPES)
def test_no_queue_is_named_twice_whatever_features_are_missing(number: int) -> None:
    bits = sorted({bit for queue in device_spec(number).queues for bit in (*queue.features, *queue.last_with)})
    subsets = [
        Features.of(*(bit for at, bit in enumerate(bits) if chosen >> at & 1)) for chosen in range(1 << len(bits))
    ]
    for offered, accepted in product(subsets, subsets):
        for total in range(1, 9):
            found = [queue_name(number, index, total, accepted & offered, offered) for index in range(total)]
            names = [queue.name for queue in found if queue]
            assert len(names) == len(set(names)), f"{names} with {total} queues, {offered} offered, {accepted} accepted"


def test_queues_that_wait_for_events_owe_no_answer() -> None:
    def answered(number: int, index: int, *features: int) -> bool:
        queue = queue_name(number, index, 3, Features.of(*features))
        assert queue is not None
        return queue.answered

    assert answered(DeviceType.RNG, 0)
    assert answered(DeviceType.NET, 1)
    assert not answered(DeviceType.NET, 0)
    assert not answered(DeviceType.BALLOON, 2, 1)
    assert not answered(DeviceType.VSOCK, 2)


def test_asking_for_one_type_imports_no_other() -> None:
    code = (
        "import sys; from uvirtio.spec.devices import device_spec; device_spec(4); "
        "print([name for name in sys.modules if name.startswith('uvirtio.spec.devices.')])"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert "uvirtio.spec.devices.rng" in done.stdout
    assert "uvirtio.spec.devices.net" not in done.stdout


_HEADERS = Path("/usr/include/linux")
#: Names that Linux spells differently from the specification.
_LINUX_NAMES = {"BALLOON_F_REPORTING": "BALLOON_F_PAGE_REPORTING", "BLK_F_WCE": "BLK_F_FLUSH"}


@pytest.mark.skipif(not (_HEADERS / "virtio_net.h").exists(), reason="the kernel's headers are not installed")
@pytest.mark.parametrize("name", [name for name in IDS if (_HEADERS / f"virtio_{name}.h").exists()])
def test_feature_numbers_are_those_of_the_kernels_headers(name: str) -> None:
    text = (_HEADERS / f"virtio_{name}.h").read_text()
    number = next(number for number, module in TYPES.items() if module == name)
    mine = {bit.name: bit.number for bit in device_spec(number).features}
    theirs = {
        _LINUX_NAMES.get(match[1], match[1]): int(match[2])
        for match in re.finditer(r"#define\s+VIRTIO_([A-Z0-9]+_F_\w+)\s+(\d+)\b", text)
    }
    unknown = {name: bit for name, bit in theirs.items() if mine.get(name) != bit}
    assert not unknown, f"{unknown} differ from {mine}"
