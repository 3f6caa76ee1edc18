"""Which way into VFIO a machine has for a function: by its group, or by its own character device with iommufd."""

from __future__ import annotations

from ...errors import CannotRun
from ..uio.groups import vfio_nodes
from ..uio.sysfs import Sysfs
from .group import GroupWay
from .iommufd import IommufdWay
from .kernel import Kernel
from .ways_in import WayIn

__all__ = ["INTERFACES", "enter"]

#: What a locator may ask for.
INTERFACES = ("auto", "group", "iommufd")
_OWN = "vfio/devices/"


def enter(kernel: Kernel, sysfs: Sysfs, bdf: str, interface: str = "auto") -> WayIn:
    """Open a function that is on vfio-pci. ``auto`` takes the group where both are there: every kernel has tried that.

    Raises :class:`CannotRun` in its many forms.
    """
    there = [node for node in vfio_nodes(sysfs, bdf) if (sysfs.dev / node).exists()]
    own = [node for node in there if node.startswith(_OWN)]
    groups = [node for node in there if node not in own] if (sysfs.dev / "vfio/vfio").exists() else []
    if interface != "iommufd" and groups:
        return GroupWay(kernel, sysfs, bdf, groups[0])
    if interface != "group" and own:
        return IommufdWay(kernel, sysfs, bdf, own[0])
    looked = {
        "group": "its group's device file and /dev/vfio/vfio",
        "iommufd": f"a file below /dev/{_OWN} (CONFIG_VFIO_DEVICE_CDEV)",
    }
    raise CannotRun(
        f"{bdf} is on vfio-pci, and {looked.get(interface, 'neither ' + ' nor '.join(looked.values()))} is not there; "
        f"there is {', '.join(f'/dev/{node}' for node in there) or 'nothing of it below /dev/vfio'}"
    )
