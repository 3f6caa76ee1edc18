"""What the inspector says of QEMU's devices is what QEMU itself says of them over QMP (x-query-virtio-status)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.lab import distro_qemu, modern_qemu
from tests.qemu.conftest import Served
from tests.qemu.judge import Judge, compare_status, feature_names
from uvirtio.bus.opening import open_function
from uvirtio.device import Device
from uvirtio.emulated.types import DESCRIBED, find_model
from uvirtio.errors import QemuDied
from uvirtio.spec.features import Feature, Features
from uvirtio_tools.inspect.model import Description
from uvirtio_tools.inspect.sources import describe_open

pytestmark = pytest.mark.needs("qemu")

_MEMORY = "-m maxmem=1G -object memory-backend-ram,id=m0,size=64M"
#: A device of each type that QEMU starts without anything outside: its locator, and whether it takes a recent QEMU.
DEVICES: dict[str, tuple[str, bool]] = {
    "rng": ("qemu:rng?disable-legacy=on", False),
    "blk": ("qemu:blk?disable-legacy=on&num-queues=2&size=1M", False),
    "net": ("qemu:net?disable-legacy=on", False),
    "console": ("qemu:console?disable-legacy=on&max_ports=3", False),
    "balloon": ("qemu:balloon?disable-legacy=on&deflate-on-oom=on&free-page-reporting=on", False),
    "input": ("qemu:input", False),
    "scsi": ("qemu:virtio-scsi-pci?disable-legacy=on&num_queues=2", False),
    "gpu": ("qemu:virtio-gpu-pci", False),
    "iommu": ("qemu:virtio-iommu-pci", False),
    "crypto": (f"qemu:virtio-crypto-pci?cryptodev=c0&args={quote('-object cryptodev-backend-builtin,id=c0')}", False),
    "mem": (f"qemu:virtio-mem-pci?memdev=m0&requested-size=4M&args={quote(_MEMORY)}", False),
    "pmem": (f"qemu:virtio-pmem-pci?memdev=m0&args={quote(_MEMORY)}", False),
    "9p": (
        "qemu:virtio-9p-pci?disable-legacy=on&fsdev=f0&mount_tag=there&args="
        + quote("-fsdev local,id=f0,path=/usr/share,security_model=none"),
        False,
    ),
    "sound": (f"qemu:virtio-sound-pci?audiodev=a0&args={quote('-audiodev none,id=a0')}", True),
    "rtc": ("qemu:virtio-rtc-pci", True),
}
_QEMUS = {"the distribution's": distro_qemu, "a recent": modern_qemu}


@pytest.fixture(scope="module", params=list(_QEMUS))
def qemu(request: pytest.FixtureRequest) -> str:
    path = _QEMUS[request.param]()
    if path is None:
        pytest.skip("there is no such QEMU; run `make lab`")
    return str(path)


@pytest.fixture(scope="module")
def answers(qemu: str) -> bool:
    """Whether this QEMU survives x-query-virtio-status: 11.1 fails an assertion of its own and ends, for every type."""
    with open_function(f"qemu:rng?qemu={qemu}") as function:
        path = _qmp(function, "x-query-virtio")[0]["path"]
        try:
            return bool(_qmp(function, "x-query-virtio-status", path=path))
        except QemuDied:
            return False


def _qmp(function: Any, command: str, **arguments: Any) -> Any:
    return function.process.qmp.execute(command, arguments)


def _judge(function: Any) -> Judge:
    return Judge(lambda command, **words: _qmp(function, command, **words), "/machine/peripheral/uvirtio-device")


def _judged(function: Any, device: Description) -> None:
    """Hold a description against a QEMU that only tells the device's properties."""
    judge = _judge(function)
    assert {row.name for row in device.features if row.offered} == judge.offered(device.type_name)
    shown = {field.name: field.value for field in device.config}
    said = judge.fields(device.type_name)
    assert {name: shown[name] for name in said} == said


@pytest.mark.parametrize(
    ("qemu", "name"),
    [(which, name) for which in _QEMUS for name, (_, recent) in DEVICES.items() if which == "a recent" or not recent],
    indirect=["qemu"],
)
def test_the_description_equals_what_qemu_says_and_names_everything(name: str, qemu: str, answers: bool) -> None:
    locator, _ = DEVICES[name]
    with open_function(f"{locator}&qemu={qemu}" if "?" in locator else f"{locator}?qemu={qemu}") as function:
        path = next(row["path"] for row in _qmp(function, "x-query-virtio"))
        before = describe_open(function)
        assert before.type_name == name
        if answers:
            compare_status(before, _qmp(function, "x-query-virtio-status", path=path))
        else:
            _judged(function, before)

        assert not before.problems
        assert all(row.origin != "unknown" for row in before.features)
        assert all(
            field.value is not None or field.valid is False or "FEATURES_OK" in field.text for field in before.config
        )
        assert all(queue.name for queue in before.queues)
        for queue in before.queues:
            told = _qmp(function, "x-query-virtio-queue-status", path=path, queue=queue.index)
            assert queue.num == told["vring-num-default"]

        device = Device(function)
        device.begin()
        device.negotiate(Features(before.offered or 0), without=Features.of(Feature.RING_RESET))
        after = describe_open(function)
        assert after.accepted == (before.offered or 0) & ~(1 << Feature.RING_RESET)
        if answers:
            compare_status(after, _qmp(function, "x-query-virtio-status", path=path))
        assert all((field.value is not None) is field.valid for field in after.config)


def test_a_device_of_the_legacy_interface_alone_is_shown_as_qemu_has_it(qemu: str, answers: bool) -> None:
    with open_function(f"qemu:rng?disable-modern=on&disable-legacy=off&qemu={qemu}") as function:
        device = describe_open(function)
        path = _qmp(function, "x-query-virtio")[0]["path"]
        told = _qmp(function, "x-query-virtio-queue-status", path=path, queue=0)
        if answers:
            theirs = feature_names(_qmp(function, "x-query-virtio-status", path=path)["host-features"])
        else:
            theirs = _judge(function).offered("rng", "legacy")
    assert (device.interface, device.type_name, device.problems) == ("legacy", "rng", ())
    # It has 32 bits to show what it offers.
    high = {"F_RING_RESET", "F_VERSION_1"}
    assert {row.name for row in device.features if row.offered} == theirs - high
    assert [(queue.name, queue.num) for queue in device.queues] == [("requestq", told["vring-num-default"])]


@pytest.mark.needs("modern-qemu")
@pytest.mark.parametrize("name", sorted(DESCRIBED))
def test_a_type_that_is_described_only_is_a_device_of_qemu_with_its_id_bits_and_fields(
    name: str, recent_qemu: str, serve: Served
) -> None:
    with open_function(f"emulated:{name}") as function:
        alone = describe_open(function)
    socket, _ = serve(name)
    with open_function(f"qemu:vfio-user-pci?socket={socket}&qemu={recent_qemu}") as function:
        device = describe_open(function)
        ids = [row["id"] for bus in _qmp(function, "query-pci") for row in bus["devices"] if row["qdev_id"]]
    assert [(row["vendor"], row["device"]) for row in ids] == [(0x1AF4, 0x1040 + find_model(name).TYPE)]
    assert (device.type_name, device.problems) == (name, ())
    assert (device.features, device.config) == (alone.features, alone.config)
    assert [(queue.name, queue.num) for queue in device.queues] == [(queue.name, 256) for queue in alone.queues]


def test_properties_of_the_command_line_show_in_the_configuration_and_the_queues(qemu: str) -> None:
    def fields(device: Description) -> dict[str, object]:
        return {field.name: field.value for field in device.config}

    with open_function(f"qemu:blk?disable-legacy=on&num-queues=3&queue-size=64&size=1M&qemu={qemu}") as function:
        device = describe_open(function)
    assert fields(device)["capacity"] == 2048
    assert fields(device)["num_queues"] == 3
    assert [(queue.name, queue.num) for queue in device.queues] == [
        ("requestq1", 64),
        ("requestq2", 64),
        ("requestq3", 64),
    ]

    with open_function(f"qemu:net?disable-legacy=on&mac=52:54:00:aa:bb:cc&host_mtu=9000&qemu={qemu}") as function:
        device = describe_open(function)
    assert fields(device)["mac"] == "52:54:00:aa:bb:cc"
    assert fields(device)["mtu"] == 9000
    assert device.interrupt is not None
    assert device.interrupt.pin == 1

    with open_function(f"qemu:virtio-scsi-pci?disable-legacy=on&max_sectors=512&cmd_per_lun=7&qemu={qemu}") as function:
        device = describe_open(function)
    assert (fields(device)["max_sectors"], fields(device)["cmd_per_lun"]) == (512, 7)


def test_a_balloon_that_leaves_no_gap_names_each_queue_once(qemu: str) -> None:
    hints = "free-page-reporting=on&free-page-hint=on&iothread=i0&args=" + quote("-object iothread,id=i0")
    for words, more in (
        ("", []),
        ("free-page-reporting=on", ["reporting_vq"]),
        (hints, ["free_page_vq", "reporting_vq"]),
    ):
        with open_function(f"qemu:balloon?disable-legacy=on&{words}&qemu={qemu}".replace("&&", "&")) as function:
            device = describe_open(function)
        assert [queue.name for queue in device.queues] == ["inflateq", "deflateq", "statsq", *more]


def test_looking_puts_the_selectors_back(qemu: str) -> None:
    with open_function(f"qemu:net?disable-legacy=on&qemu={qemu}") as function:
        device = Device(function)
        common = function.bar(4)
        common.write(0x00, 4, 1)
        common.write(0x08, 4, 1)
        common.write(0x16, 2, 2)
        describe_open(function)
        assert [common.read(at, width) for at, width in ((0x00, 4), (0x08, 4), (0x16, 2))] == [1, 1, 2]
        assert device.status.read() == 0
