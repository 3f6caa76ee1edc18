"""The ways into VFIO and what each refuses: groups, no IOMMU, iommufd; against a stand-in for the kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.uio.fake import RNG
from tests.unit.uio.test_function import Memory
from tests.unit.vfio.boxed import VfioMachine
from tests.unit.vfio.conftest import Opener
from tests.unit.vfio.fake import FakeKernel
from uvirtio.bus.locator import parse
from uvirtio.bus.uio import bind, pending, restore
from uvirtio.bus.uio.sysfs import VFIO_DRIVER
from uvirtio.bus.vfio import open_vfio
from uvirtio.errors import CannotRun, DeviceBusy, InUse, ModuleMissing, NoSuchDevice, NotVirtio, PrivilegeMissing

OTHER = "0000:00:06.0"


@pytest.fixture
def physical(tmp_path: Path) -> FakeKernel:
    """A kernel whose VFIO does without an IOMMU."""
    machine = VfioMachine(tmp_path / "physical", group=None)
    machine.no_iommu("Y")
    return FakeKernel(machine)


@pytest.fixture
def own(tmp_path: Path) -> FakeKernel:
    """A kernel with character devices of functions, and no groups."""
    return FakeKernel(VfioMachine(tmp_path / "own", own=True, groups=False))


# -- groups ------------------------------------------------------------------------------------------------------------


def test_container_and_group_are_opened_in_the_order_that_the_kernel_wants(kernel: FakeKernel, opener: Opener) -> None:
    with opener() as function:
        assert function.facts()["vfio"] == "group 9, type 1"
        assert function.facts()["iommu"] == "group 9"
    assert kernel.calls[:9] == [
        "open vfio/vfio", "container_0", "container_1", "open vfio/9", "group_3", "group_4", "container_2", "group_6", "device_7",
    ]  # fmt: skip
    assert kernel.calls[-3:] == ["close device", "close group", "close container"]


def busy(kernel: FakeKernel) -> None:
    kernel.busy.add("vfio/9")


def not_viable(kernel: FakeKernel) -> None:
    kernel.viable = False


def other_version(kernel: FakeKernel) -> None:
    kernel.version = 1


def no_type1(kernel: FakeKernel) -> None:
    kernel.extensions.clear()


def no_remapping(kernel: FakeKernel) -> None:
    kernel.remaps_interrupts = False


@pytest.mark.parametrize(
    ("wrong", "kind", "sentence"),
    [
        (busy, DeviceBusy, "/dev/vfio/9 is open in another process"),
        (
            not_viable,
            CannotRun,
            f"{RNG} shares its IOMMU group 9, type 1 with others, whose drivers use DMA: VFIO gives a group",
        ),
        (other_version, CannotRun, "interface version 1; this speaks version 0"),
        (no_type1, ModuleMissing, "modprobe vfio_iommu_type1"),
        (no_remapping, CannotRun, "intremap=on.*allow_unsafe_interrupts"),
    ],
)
def test_what_the_kernel_refuses_is_a_sentence_and_everything_is_given_back(
    kernel: FakeKernel,
    opener: Opener,
    run: Path,
    wrong: Callable[[FakeKernel], None],
    kind: type[CannotRun],
    sentence: str,
) -> None:
    wrong(kernel)
    with pytest.raises(kind, match=sentence.replace("/dev", r"\S*/dev")):
        opener()
    assert kernel.machine.driver(RNG) == "virtio-pci"
    assert (kernel.open_files, pending(run)) == ([], [])


def test_who_shares_the_group_is_told_before_anything_is_changed(
    machine: VfioMachine, kernel: FakeKernel, opener: Opener
) -> None:
    machine.add(OTHER, number=4)
    machine.join(OTHER, 9)
    with pytest.raises(
        CannotRun, match=rf"in IOMMU group 9 together with {OTHER} \(virtio-pci\): VFIO gives a group away"
    ):
        opener()
    assert (kernel.calls, machine.writes) == ([], [])
    machine._unbind(OTHER)
    with opener() as function:
        assert function.facts()["iommu"] == f"group 9, shared with {OTHER} (no driver)"


def test_the_functions_of_a_group_are_bound_one_after_the_other(
    machine: VfioMachine, opener: Opener, run: Path
) -> None:
    machine.add(OTHER, number=4)
    machine.join(OTHER, 9)
    bind(OTHER, sysfs=machine, run=run, driver=VFIO_DRIVER)
    with opener() as function:
        assert function.facts()["iommu"] == f"group 9, shared with {OTHER} (vfio-pci)"
    assert machine.driver(RNG) == "virtio-pci"
    assert restore(OTHER, sysfs=machine, run=run).driver == "virtio-pci"


def test_other_refusals_are_those_of_uio(machine: VfioMachine, opener: Opener) -> None:
    (machine.proc / "1").mkdir()
    machine.class_device(next(machine.function(RNG).glob("virtio*")), "net", "eth0", flags="0x1003")
    machine.child(driver="virtio_net")
    with pytest.raises(InUse, match="network interface eth0 is up"):
        opener()
    with opener(force=True):
        pass
    with pytest.raises(NoSuchDevice):
        opener("7.0")
    machine.add(OTHER, vendor=0x8086, device=0x100E, driver=None)
    with pytest.raises(NotVirtio):
        opener("6.0")


def test_a_kernel_without_the_module_is_told_with_what_to_install(machine: VfioMachine, opener: Opener) -> None:
    machine.module_there = False
    with pytest.raises(ModuleMissing, match=r"kernel module vfio-pci is not loaded.*CONFIG_VFIO_PCI"):
        opener()
    assert machine.writes == []


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        (1 << 20, r"\(ENOMEM\): memory is full, or locking so much is not allowed"),
    ],
)
def test_memory_that_may_not_be_locked_is_a_sentence(
    kernel: FakeKernel, opener: Opener, limit: int, sentence: str
) -> None:
    kernel.memory_limit = limit
    with opener() as function, pytest.raises(CannotRun, match=sentence):
        function.dma.allocate(64)


def test_addresses_that_are_taken_or_out_of_reach_are_sentences(kernel: FakeKernel, opener: Opener) -> None:
    kernel.maps[0x2_4680_0000] = (0, 4096)
    with opener() as function, pytest.raises(CannotRun, match="EEXIST"):
        function.dma.allocate(64)
    kernel.maps.clear()
    with opener() as function:
        kernel.ranges = [(0, 0xFFFF)]
        with pytest.raises(CannotRun, match="the IOMMU reaches no such address"):
            function.dma.allocate(64)


# -- without an IOMMU --------------------------------------------------------------------------------------------------


def opened(kernel: FakeKernel, run: Path, text: str = "vfio:5.0"):  # type: ignore[no-untyped-def]
    return open_vfio(parse(text), sysfs=kernel.machine, run=run, kernel=kernel)


def test_without_an_iommu_addresses_are_physical_and_nothing_is_mapped(
    physical: FakeKernel, run: Path, memory: Memory
) -> None:
    with opened(physical, run) as function:
        assert function.facts()["vfio"] == "group 0, no IOMMU"
        assert function.dma.allocate(64).address == 100 * 4096
        assert not function.surroundings.mapped
        assert physical.maps == {}
    assert "container_13" not in physical.calls
    assert physical.machine.number(physical.machine.pool / "nr_hugepages") == 0
    assert physical.machine.driver(RNG) == "virtio-pci"


def test_that_takes_a_capability(physical: FakeKernel, run: Path) -> None:
    physical.raw_io = False
    with pytest.raises(PrivilegeMissing, match="CAP_SYS_RAWIO"):
        opened(physical, run)
    assert physical.machine.driver(RNG) == "virtio-pci"


def test_a_kernel_that_has_no_such_mode_after_all_is_told_of(physical: FakeKernel, run: Path) -> None:
    physical.extensions = {1, 3}
    with pytest.raises(CannotRun, match="CONFIG_VFIO_NOIOMMU"):
        opened(physical, run)


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("N", "echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode"),
        (None, "this kernel is built without VFIO_NOIOMMU"),
    ],
)
def test_where_there_is_neither_it_says_what_to_type(
    tmp_path: Path, run: Path, mode: str | None, sentence: str
) -> None:
    machine = VfioMachine(tmp_path / "bare", group=None)
    if mode is not None:
        machine.no_iommu(mode)
    with pytest.raises(CannotRun, match=f"{RNG} is in no IOMMU group.*{sentence}"):
        opened(FakeKernel(machine), run)
    assert machine.writes == []


# -- iommufd -----------------------------------------------------------------------------------------------------------


def test_the_functions_own_device_is_bound_and_gets_an_address_space(own: FakeKernel, run: Path) -> None:
    with opened(own, run) as function:
        assert function.facts()["vfio"] == "vfio0, iommufd"
        assert function.dma.allocate(64).address == 0x2_4680_0000
        assert len(own.maps) == 1
        function.bar(4).u8[0] = 1
    assert own.calls[:5] == ["open iommu", "open vfio/devices/vfio0", "device_18", "iommufd_1", "device_19"]
    assert (own.open_files, own.maps) == ([], {})
    assert own.machine.driver(RNG) == "virtio-pci"


def test_any_number_of_ranges_is_asked_for_until_all_are_told(own: FakeKernel, run: Path) -> None:
    own.ranges = [(number << 40, (number << 40) + 0xFFF) for number in range(40)] + [(1 << 50, (1 << 51) - 1)]
    with opened(own, run) as function:
        assert function.dma.allocate(64).address == 1 << 50
    assert own.calls.count("iommufd_4") == 2


@pytest.mark.parametrize(
    ("wrong", "kind", "sentence"),
    [
        (lambda kernel: kernel.busy.add("vfio/devices/vfio0"), DeviceBusy, "is open in another process"),
        (not_viable, DeviceBusy, r"is not given away \(EBUSY\)"),
        (no_remapping, CannotRun, "/sys/module/iommufd/parameters/allow_unsafe_interrupts"),
        (lambda kernel: (kernel.machine.dev / "iommu").unlink(), ModuleMissing, "iommu is not there"),
    ],
)
def test_what_iommufd_refuses_is_a_sentence_and_everything_is_given_back(
    own: FakeKernel, run: Path, wrong: Callable[[FakeKernel], None], kind: type[CannotRun], sentence: str
) -> None:
    wrong(own)
    with pytest.raises(kind, match=sentence):
        opened(own, run)
    assert (own.open_files, own.machine.driver(RNG), pending(run)) == ([], "virtio-pci", [])


def test_which_way_is_taken_can_be_said(tmp_path: Path, run: Path) -> None:
    kernel = FakeKernel(VfioMachine(tmp_path / "both", own=True))
    with opened(kernel, run) as function:
        assert function.facts()["vfio"] == "group 9, type 1"
    kernel = FakeKernel(kernel.machine)
    with opened(kernel, run, "vfio:5.0?interface=iommufd") as function:
        assert function.facts()["vfio"] == "vfio0, iommufd"
    only_groups = FakeKernel(VfioMachine(tmp_path / "groups"))
    with pytest.raises(
        CannotRun,
        match=r"a file below /dev/vfio/devices/ \(CONFIG_VFIO_DEVICE_CDEV\) is not there; there is /dev/vfio/9",
    ):
        opened(only_groups, run, "vfio:5.0?interface=iommufd")
    assert only_groups.machine.driver(RNG) == "virtio-pci"


def test_a_device_file_that_does_not_appear_is_told_of(
    machine: VfioMachine, opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uvirtio.bus.uio.taking._DEVICE_TIME", 0.01)
    machine.groups = False
    with pytest.raises(CannotRun, match=f"{RNG} is on {VFIO_DRIVER}, but /dev/vfio/9 did not appear"):
        opener()
    assert machine.driver(RNG) == "virtio-pci"
