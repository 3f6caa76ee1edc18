"""Each thing that keeps a device from being taken, and its absence."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.uio.fake import RNG, FakeMachine
from uvirtio.bus.uio import bind, uses
from uvirtio.errors import InUse


@pytest.fixture
def disk(machine: FakeMachine) -> Path:
    """An idle disk vda with a partition vda1."""
    at = machine.class_device(machine.child(driver="virtio_blk"), "block", "vda", dev="254:0")
    machine.class_device(at, "block", "vda1", dev="254:1")
    for name in ("vda", "vda1"):
        (machine.dev / name).touch()
    return at


def mount(machine: FakeMachine, *lines: str) -> None:
    (machine.proc / "self/mountinfo").write_text("\n".join(lines) + "\n")


def opened(machine: FakeMachine, node: str, command: str = "qemu-ga") -> None:
    """Process 77 has a file in /dev open."""
    (machine.proc / "77/fd").mkdir(parents=True)
    (machine.proc / "77/comm").write_text(command + "\n")
    (machine.proc / "77/fd/3").symlink_to(machine.dev / node)


def test_a_device_that_nobody_uses_is_free(machine: FakeMachine, disk: Path) -> None:
    mount(machine, "22 1 8:0 / / rw - ext4 /dev/sda1 rw")
    assert uses(machine, RNG) == []


def test_a_mounted_partition_is_a_use_of_the_disk(machine: FakeMachine, disk: Path) -> None:
    mount(machine, r"30 22 254:1 / /mnt/with\040space rw - ext4 /dev/vda1 rw")
    assert uses(machine, RNG) == ["vda1 is mounted on /mnt/with space"]


def test_a_file_system_with_a_number_of_its_own_is_found_by_its_source(machine: FakeMachine, disk: Path) -> None:
    mount(machine, "30 22 0:44 / /data rw shared:1 - btrfs /dev/vda rw")
    assert uses(machine, RNG) == ["vda is mounted on /data"]


def test_swap_is_a_use(machine: FakeMachine, disk: Path) -> None:
    (machine.proc / "swaps").write_text("Filename Type Size Used Priority\n/dev/vda1 partition 100 0 -2\n")
    assert uses(machine, RNG) == ["vda1 is swap"]


def test_volumes_and_raid_arrays_on_a_disk_are_uses_and_so_is_what_is_on_them(machine: FakeMachine, disk: Path) -> None:
    volume = machine.class_device(machine.sys / "devices/virtual", "block", "dm-0", dev="253:0")
    (volume / "dm").mkdir()
    (volume / "dm/name").write_text("vg-root\n")
    array = machine.class_device(machine.sys / "devices/virtual2", "block", "md0", dev="9:0")
    (array / "md").mkdir()
    holders = disk / "block/vda1/holders"
    holders.mkdir()
    for name in ("dm-0", "md0"):
        (holders / name).symlink_to(machine.sys / "class/block" / name)
    mount(machine, "1 1 253:0 / / rw - xfs /dev/mapper/vg-root rw")
    assert uses(machine, RNG) == [
        "vda1 carries device-mapper volume vg-root (dm-0)",
        "dm-0 is mounted on /",
        "vda1 carries RAID array md0",
    ]


def test_a_file_system_that_only_a_container_has_mounted_is_a_use(machine: FakeMachine, disk: Path) -> None:
    mount(machine, "22 1 8:0 / / rw - ext4 /dev/sda1 rw", "30 22 254:0 / /shared rw - ext4 /dev/vda rw")
    for pid, namespace in (("self", "mnt:[1]"), ("1", "mnt:[1]"), ("77", "mnt:[2]"), ("78", "mnt:[2]")):
        (machine.proc / pid / "ns").mkdir(parents=True)
        (machine.proc / pid / "ns/mnt").symlink_to(namespace)
        (machine.proc / pid / "comm").write_text("postgres\n")
    lines = ("40 1 254:1 / /data rw - xfs /dev/vda1 rw", "41 1 254:0 / /also rw - ext4 /dev/vda rw")
    for pid in ("77", "78"):
        (machine.proc / pid / "mountinfo").write_text("\n".join(lines) + "\n")
    assert uses(machine, RNG) == [
        "vda is mounted on /shared",
        "vda1 is mounted on /data of process 77 (postgres)",
    ]


def test_the_other_devices_of_a_btrfs_and_the_disk_under_a_loop_device_are_in_use(
    machine: FakeMachine, disk: Path
) -> None:
    devices = machine.sys / "fs/btrfs/0b7c/devices"
    devices.mkdir(parents=True)
    (machine.sys / "fs/btrfs/features").mkdir()
    (devices / "vda1").symlink_to(machine.sys / "class/block/vda1")
    (machine.sys / "fs/btrfs/0b7c/label").write_text("pool\n")
    (machine.sys / "class/block/loop3/loop").mkdir(parents=True)
    (machine.sys / "class/block/loop3/loop/backing_file").write_text("/dev/vda\n")
    (machine.sys / "class/block/loop4/loop").mkdir(parents=True)
    (machine.sys / "class/block/loop4/loop/backing_file").write_text("/srv/vda1\n")
    assert uses(machine, RNG) == ["vda carries loop3", "vda1 carries the btrfs file system pool"]


def test_a_disk_that_the_kernel_holds_for_a_reason_it_does_not_tell_is_not_taken(
    machine: FakeMachine, disk: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, asked = os.open, []

    def refusing(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_EXCL and Path(path) == machine.dev / "vda":
            asked.append(flags)
            raise OSError(errno.EBUSY, "Device or resource busy")
        return opening(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refusing)
    assert uses(machine, RNG) == []
    assert asked == []
    with pytest.raises(InUse, match="vda is held by something in the kernel"):
        bind(RNG, sysfs=machine, run=run)
    assert all(flags & os.O_ACCMODE == os.O_RDONLY for flags in asked)
    bind(RNG, sysfs=machine, run=run, force=True)


def test_a_disk_that_a_process_has_open_is_in_use_but_udev_does_not_count(machine: FakeMachine, disk: Path) -> None:
    opened(machine, "vda", "postgres")
    assert uses(machine, RNG) == ["/dev/vda is open in process 77 (postgres)"]
    (machine.proc / "77/comm").write_text("(udev-worker)\n")
    assert uses(machine, RNG) == []


def test_a_handle_that_only_names_the_disk_is_no_use_of_it(machine: FakeMachine, disk: Path) -> None:
    opened(machine, "vda", "anybody")
    (machine.proc / "77/fdinfo").mkdir()
    (machine.proc / "77/fdinfo/3").write_text("pos:\t0\nflags:\t012000000\nmnt_id:\t26\n")
    assert uses(machine, RNG) == []
    (machine.proc / "77/fd/4").symlink_to(machine.dev / "vda")
    (machine.proc / "77/fdinfo/4").write_text("pos:\t0\nflags:\t02100000\nmnt_id:\t26\n")
    assert uses(machine, RNG) == ["/dev/vda is open in process 77 (anybody)"]


@pytest.mark.parametrize(
    ("flags", "inet6", "said"),
    [
        ("0x1002", "", []),
        ("0x1003", "", ["network interface eth0 is up"]),
        (
            "0x1002",
            "fe80000000000000505400fffe123456 02 40 20 80     eth0",
            ["network interface eth0 has the address fe80::5054:ff:fe12:3456"],
        ),
        ("0x1002", "fe80000000000000505400fffe123456 02 40 20 80     eth1", []),
    ],
)
def test_an_interface_is_in_use_when_it_is_up_or_has_an_address(
    machine: FakeMachine, flags: str, inet6: str, said: list[str]
) -> None:
    machine.class_device(machine.child(driver="virtio_net"), "net", "eth0", flags=flags)
    (machine.proc / "net").mkdir()
    (machine.proc / "net/if_inet6").write_text(inet6 + "\n")
    assert uses(machine, RNG) == said


def test_a_port_of_a_bridge_is_in_use(machine: FakeMachine) -> None:
    interface = machine.class_device(machine.child(driver="virtio_net"), "net", "eth0", flags="0x1002")
    (interface / "master").symlink_to("../br0")
    assert uses(machine, RNG) == ["network interface eth0 is a port of br0"]


def test_an_interface_in_another_namespace_is_in_use(machine: FakeMachine) -> None:
    machine.child(driver="virtio_net")
    assert uses(machine, RNG) == ["the network interface of virtio3 is in another network namespace"]


def console(machine: FakeMachine, number: int) -> None:
    machine.class_device(machine.child(driver="virtio_console", features=2), "virtio-ports", "vport3p0", name="")
    debug = machine.sys / "kernel/debug/virtio-ports"
    debug.mkdir(parents=True)
    (debug / "vport3p0").write_text(f"name:\nis_console: yes\nconsole_vtermno: {number}\n")


def test_the_kernels_console_is_a_use_of_its_own_device_only(machine: FakeMachine) -> None:
    (machine.proc / "consoles").write_text("hvc1                 -W- (EC  p  )  229:1\nttyS0 -W- (EC) 4:64\n")
    console(machine, 2)
    assert uses(machine, RNG) == ["the kernel's console is hvc1, which stands on virtio3"]
    (machine.proc / "consoles").write_text("hvc0                 -W- (EC  p  )  229:0\n")
    other = machine.sys / "kernel/debug/virtio-ports/vport9p0"
    other.write_text("name:\nis_console: yes\nconsole_vtermno: 1\n")
    assert uses(machine, RNG) == []


def test_a_console_whose_terminal_has_another_number_by_now_counts_as_used(machine: FakeMachine) -> None:
    console(machine, 7)
    (machine.proc / "consoles").write_text("hvc0                 -W- (EC  p  )  229:0\n")
    assert uses(machine, RNG) == ["the kernel's console is hvc0, which stands on virtio3"]


def test_a_console_that_cannot_be_told_from_others_counts_as_used(machine: FakeMachine) -> None:
    machine.class_device(machine.child(driver="virtio_console", features=2), "virtio-ports", "vport3p0", name="")
    (machine.proc / "consoles").write_text("hvc0                 -W- (EC  p  )  229:0\n")
    assert uses(machine, RNG) == ["the kernel's console is hvc0, which stands on virtio3"]


def test_a_terminal_with_a_login_and_an_open_port_are_uses(machine: FakeMachine) -> None:
    console(machine, 1)
    opened(machine, "hvc0", "agetty")
    os.symlink(machine.dev / "vport3p0", machine.proc / "77/fd/4")
    assert uses(machine, RNG) == [
        "/dev/hvc0 is open in process 77 (agetty)",
        "/dev/vport3p0 is open in process 77 (agetty)",
    ]


def test_a_shared_directory_is_in_use_by_its_tag(machine: FakeMachine) -> None:
    (machine.child(driver="9pnet_virtio") / "mount_tag").write_bytes(b"host0\0")
    mount(machine, "1 1 0:21 / /srv rw - 9p host0 rw,trans=virtio")
    assert uses(machine, RNG) == ["virtio3 carries the 9p file system on /srv"]
    mount(machine, "1 1 0:21 / /srv rw - 9p host0 rw,trans=tcp")
    assert uses(machine, RNG) == []


def test_a_root_whose_source_is_nobodys_tag_may_stand_on_any_share(machine: FakeMachine) -> None:
    (machine.child(driver="9pnet_virtio") / "mount_tag").write_bytes(b"host0\0")
    mount(machine, "1 1 0:21 / / rw - 9p /dev/root rw,trans=virtio")
    assert uses(machine, RNG) == ["virtio3 may carry the 9p file system on / (its source is called /dev/root)"]


def test_a_virtiofs_device_whose_tag_the_kernel_does_not_tell_may_carry_any_virtiofs(machine: FakeMachine) -> None:
    machine.child(driver="virtiofs")
    assert uses(machine, RNG) == []
    mount(machine, "1 1 0:21 / / rw - virtiofs rootfs rw")
    assert uses(machine, RNG) == ["virtio3 may carry the virtiofs file system on / (its source is called rootfs)"]


def test_a_uio_device_that_another_program_has_open_is_in_use(machine: FakeMachine) -> None:
    machine.modprobe("uio_pci_generic")
    machine._unbind(RNG)
    machine._bind(RNG, "uio_pci_generic")
    opened(machine, "uio0", "dpdk-testpmd")
    assert uses(machine, RNG) == ["/dev/uio0 is open in process 77 (dpdk-testpmd)"]


def test_an_iommu_with_devices_behind_it_is_in_use(machine: FakeMachine) -> None:
    devices = machine.sys / "class/iommu" / RNG / "devices"
    devices.mkdir(parents=True)
    (devices / "0000:00:06.0").touch()
    (use,) = uses(machine, RNG)
    assert "IOMMU of 1 other devices (0000:00:06.0)" in use
