"""What a function is used for, in sentences: taking it away would hurt somebody.

The kernel has no single answer. Mounts, swap, holders, interfaces, consoles and open files each tell their part.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from .discovery import KernelDevice, PciFunction, VirtioChild, describe
from .groups import vfio_nodes
from .sysfs import VFIO_DRIVER, Sysfs
from .tables import Tables

__all__ = ["uses"]

_IFF_UP = 1
_SIOCGIFADDR = 0x8915


def uses(sysfs: Sysfs, function: PciFunction | str, tables: Tables | None = None, *, probe: bool = False) -> list[str]:
    """What uses a function (or the one with this address) now; empty when nothing does.

    Needs root to see other people's open files. ``tables``: give the same one for many functions, so that what concerns
    the whole machine is looked through once. ``probe`` also asks the kernel about a disk of which nothing is known, by
    opening it for a moment: for who is about to take it.
    """
    tables = tables or Tables(sysfs)
    if isinstance(function, str):
        function = describe(sysfs, function)
    found: list[str] = []
    nodes: dict[str, str] = {}
    for child in function.virtio:
        found += _driver_uses(sysfs, child, tables)
        for device in child.devices:
            if device.kind == "block":
                found += _block_uses(sysfs, device.path, tables)
            elif device.kind == "net":
                found += _net_uses(sysfs, device, tables)
            if device.kind in ("block", "virtio-ports", "drm", "sound"):
                nodes |= _nodes(sysfs, device.path)
    if function.uio:
        nodes[str(sysfs.dev / function.uio)] = function.uio
    if function.driver == VFIO_DRIVER:
        nodes |= {str(sysfs.dev / node): node for node in vfio_nodes(sysfs, function.address)}
    found += tables.holding(nodes)
    attached = tables.behind_iommu(function.address)
    if attached:
        found.append(
            f"it is the IOMMU of {len(attached)} other devices ({', '.join(attached[:3])}{' ...' * (len(attached) > 3)})"
        )
    if virtual := function.virtual:
        names = f"{', '.join(virtual[:3])}{' ...' * (len(virtual) > 3)}"
        found.append(
            f"it has {len(virtual)} virtual function{'s' * (len(virtual) > 1)} ({names}), which go when its driver lets go of it "
            "and do not come back by themselves (sriov_numvfs)"
        )
    if probe and not found:
        found += [use for child in function.virtio for device in child.devices for use in _claimed(sysfs, device)]
    return list(dict.fromkeys(found))


# -- block -------------------------------------------------------------------------------------------------------------


def _block_uses(sysfs: Sysfs, path: str, tables: Tables) -> Iterator[str]:
    # Partitions are found by the same walk, as devices of the class block of their own.
    name, number = os.path.basename(path), sysfs.read(f"{path}/dev")
    for mount in tables.mounts:
        # A file system over several devices (btrfs) has a number of its own, but names one of them.
        if (number and mount.number == number) or mount.block == name:
            yield f"{name} is mounted on {mount.where}"
    if name in tables.swaps:
        yield f"{name} is swap"
    if name in tables.members:
        yield f"{name} carries {tables.members[name]}"
    for holder in sysfs.names(f"{path}/holders"):
        device = sysfs.sys / "class/block" / holder
        mapped = sysfs.read(device / "dm/name")
        what = f"volume {mapped} ({holder})" if mapped else holder
        kind = "RAID array" if (device / "md").is_dir() else "device-mapper" if mapped else "holder"
        yield f"{name} carries {kind} {what}"
        yield from _block_uses(sysfs, os.path.realpath(device), tables)


def _claimed(sysfs: Sysfs, disk: KernelDevice) -> Iterator[str]:
    """Whether something in the kernel holds a disk for itself, whatever it is: ZFS, say, or a storage target."""
    if disk.kind != "block":
        return
    try:
        # Reading alone, so that closing it is no change for udev. What claims a disk is not told, only that it is claimed.
        os.close(os.open(sysfs.dev / disk.name, os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        if error.errno == errno.EBUSY:
            yield f"{disk.name} is held by something in the kernel (opening it for oneself is refused, EBUSY)"


# -- network -----------------------------------------------------------------------------------------------------------


def _net_uses(sysfs: Sysfs, device: KernelDevice, tables: Tables) -> Iterator[str]:
    name = device.name
    if sysfs.number(f"{device.path}/flags") & _IFF_UP:
        yield f"network interface {name} is up"
    addresses = [*tables.inet6.get(name, ()), *_inet(sysfs, name)]
    if addresses:
        yield f"network interface {name} has the address {', '.join(addresses)}"
    master = sysfs.link(f"{device.path}/master")
    if master:
        yield f"network interface {name} is a port of {master}"


def _inet(sysfs: Sysfs, name: str) -> Iterator[str]:
    if sysfs.root == Path("/"):
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                yield socket.inet_ntoa(answer[20:24])
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.ENODEV):
                    raise


# -- what a driver made of the device ----------------------------------------------------------------------------------


def _driver_uses(sysfs: Sysfs, child: VirtioChild, tables: Tables) -> Iterator[str]:
    kinds = {device.kind for device in child.devices}
    if child.driver == "virtio_net" and "net" not in kinds:
        yield f"the network interface of {child.name} is in another network namespace"
    elif child.driver == "virtio_console":
        yield from _console_uses(sysfs, child, tables)
    elif child.driver == "9pnet_virtio":
        yield from _share_uses(child, "9p", tables.shares.get(child.name, ""), tables)
    elif child.driver == "virtiofs":
        yield from _share_uses(child, "virtiofs", tables.virtiofs.get(child.name, ""), tables)
    elif child.driver == "virtio_mem" and tables.plugged_memory:
        yield f"{child.name} has plugged memory that the system uses"
    elif child.driver == "virtio_gpu":
        screens = [device.name for device in child.devices if device.kind == "graphics"]
        if screens and tables.screen_console:
            yield f"the screen console runs on {screens[0]} of {child.name}"


def _console_uses(sysfs: Sysfs, child: VirtioChild, tables: Tables) -> Iterator[str]:
    """Consoles and logins on the terminals of a device. Which hvc belongs to which port is told by debugfs alone."""
    terminals = tables.terminals
    ports = [device.name for device in child.devices if device.kind == "virtio-ports"]
    mine = {terminal for port in ports if (terminal := terminals.get(port))}
    if mine or not all(port in terminals for port in ports) or not ports:
        # Numbers are given anew when ports come and go: a console that is nobody's may be this device's.
        mine |= tables.consoles - set(terminals.values())
    for name in sorted(mine & tables.consoles):
        yield f"the kernel's console is {name}, which stands on {child.name}"
    yield from tables.holding({str(sysfs.dev / name): name for name in sorted(mine)})


def _share_uses(child: VirtioChild, kind: str, tag: str, tables: Tables) -> Iterator[str]:
    """Mounts of a shared directory. A source that is nobody's tag, or a device whose tag is not told: maybe this one."""
    for mount in tables.mounts:
        if mount.kind != kind or (kind == "9p" and "trans=virtio" not in mount.options):
            continue
        if tag and mount.source == tag:
            yield f"{child.name} carries the {kind} file system on {mount.where}"
        elif not tag or (kind == "9p" and mount.source not in tables.tags):
            yield f"{child.name} may carry the {kind} file system on {mount.where} (its source is called {mount.source})"


# -- device files ------------------------------------------------------------------------------------------------------


def _nodes(sysfs: Sysfs, path: str) -> dict[str, str]:
    """Files in /dev that belong to a device: path to name."""
    match = re.search(r"^DEVNAME=(.+)$", sysfs.read(f"{path}/uevent"), re.MULTILINE)
    return {str(sysfs.dev / match[1]): match[1]} if match else {}
