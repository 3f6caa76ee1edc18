"""IOMMU groups: functions that reach memory through the same tables, which VFIO gives away together or not at all."""

from __future__ import annotations

from typing import NamedTuple

from .sysfs import VFIO_DRIVER, Sysfs

__all__ = [
    "Member",
    "group_of",
    "in_the_way",
    "iommu_advice",
    "no_iommu_mode",
    "sharers",
    "told",
    "vfio_node",
    "vfio_nodes",
]

#: Drivers that use no memory of their own for DMA, so that userspace may have the rest of their group.
_HARMLESS = (None, VFIO_DRIVER, "pci-stub", "pcieport")
#: What the kernel calls the group that stands in where there is no IOMMU.
_NO_IOMMU = "vfio-noiommu"


class Member(NamedTuple):
    """A function of a group, and the driver that holds it."""

    address: str
    driver: str | None

    def __str__(self) -> str:
        return f"{self.address} ({self.driver or 'no driver'})"


def group_of(sysfs: Sysfs, bdf: str) -> int | None:
    """The number of a function's IOMMU group; None where it is in none."""
    name = sysfs.link(sysfs.function(bdf) / "iommu_group")
    return int(name) if name is not None and name.isdigit() else None


def sharers(sysfs: Sysfs, bdf: str) -> list[Member]:
    """The other functions of the same group."""
    members = sysfs.names(sysfs.function(bdf) / "iommu_group/devices")
    return [Member(member, sysfs.driver(member)) for member in members if member != bdf]


def in_the_way(sysfs: Sysfs, bdf: str) -> list[Member]:
    """Those of them whose drivers keep VFIO from giving the group to anybody."""
    return [member for member in sharers(sysfs, bdf) if member.driver not in _HARMLESS]


def told(members: list[Member]) -> str:
    """Members in words, not more than a few."""
    return ", ".join(map(str, members[:4])) + (" ..." if len(members) > 4 else "")


def no_iommu_mode(sysfs: Sysfs) -> bool | None:
    """Whether VFIO gives devices away that no IOMMU holds back; None where the kernel is built without, or has no VFIO."""
    setting = sysfs.read(sysfs.sys / "module/vfio/parameters/enable_unsafe_noiommu_mode")
    return None if not setting else setting in ("Y", "1")


def iommu_advice(sysfs: Sysfs) -> str:
    """What to do where a function is in no IOMMU group."""
    iommu = "give the VM an IOMMU (QEMU: -device intel-iommu,intremap=on; in the guest intel_iommu=on on the kernel's command line)"
    if no_iommu_mode(sysfs) is None:
        return f"{iommu}; this kernel is built without VFIO_NOIOMMU, so there is no other way"
    return f"{iommu}, or do without: echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode (which taints the kernel)"


def vfio_nodes(sysfs: Sysfs, bdf: str) -> list[str]:
    """Where below ``/dev`` the device files of a function on vfio-pci are or may be: its group's, its own."""
    found = []
    group = group_of(sysfs, bdf)
    if group is not None:
        name = sysfs.read(sysfs.function(bdf) / "iommu_group/name")
        found.append(f"vfio/noiommu-{group}" if name == _NO_IOMMU else f"vfio/{group}")
    return found + [f"vfio/devices/{name}" for name in sysfs.names(sysfs.function(bdf) / "vfio-dev")]


def vfio_node(sysfs: Sysfs, bdf: str) -> str | None:
    """The first of those that is there."""
    return next((node for node in vfio_nodes(sysfs, bdf) if (sysfs.dev / node).exists()), None)
