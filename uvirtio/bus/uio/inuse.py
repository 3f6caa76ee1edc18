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
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .discovery import KernelDevice, PciFunction, VirtioChild, describe
from .sysfs import Sysfs

__all__ = ["Tables", "uses"]

_IFF_UP = 1
_SIOCGIFADDR = 0x8915
#: Programs that open every device for a moment, which is no use of it.
_PASSING = ("systemd-udevd", "udevd", "(udev-worker)")


def uses(sysfs: Sysfs, function: PciFunction | str, tables: Tables | None = None) -> list[str]:
    """What uses a function (or the one with this address) now; empty when nothing does.

    Needs root to see other people's open files. ``tables``: give the same one for many functions, so that what concerns
    the whole machine is looked through once.
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
    if function.driver == "vfio-pci" and function.iommu_group is not None:
        nodes[str(sysfs.dev / "vfio" / str(function.iommu_group))] = f"vfio group {function.iommu_group}"
    found += tables.holding(nodes)
    attached = tables.behind_iommu(function.address)
    if attached:
        found.append(
            f"it is the IOMMU of {len(attached)} other devices ({', '.join(attached[:3])}{' ...' * (len(attached) > 3)})"
        )
    return list(dict.fromkeys(found))


# -- what concerns the whole machine -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Mount:
    """A line of mountinfo: device number, where, file system, source, the block device that the source names, options."""

    number: str
    where: str
    kind: str
    source: str
    block: str
    options: str


class Tables:
    """What the kernel keeps for the whole machine: mounts, swap, consoles, open files. Each is read once, when first asked."""

    def __init__(self, sysfs: Sysfs) -> None:
        self._sysfs = sysfs
        self._commands: dict[str, str] = {}

    @cached_property
    def mounts(self) -> list[_Mount]:
        """Everything that is mounted."""
        found = []
        for line in self._sysfs.read(self._sysfs.proc / "self/mountinfo").splitlines():
            fields = line.split(" ")
            dash = fields.index("-") if "-" in fields else len(fields)
            if dash + 2 < len(fields):
                source, options = _unescape(fields[dash + 2]), " ".join(fields[dash + 3 :])
                block = self._block_name(source) if source.startswith("/dev/") else ""
                found.append(_Mount(fields[2], _unescape(fields[4]), fields[dash + 1], source, block, options))
        return found

    @cached_property
    def swaps(self) -> frozenset[str]:
        """Names of the block devices that are swap."""
        lines = self._sysfs.read(self._sysfs.proc / "swaps").splitlines()[1:]
        return frozenset(self._block_name(line.split()[0]) for line in lines if line)

    def _block_name(self, source: str) -> str:
        return os.path.basename(os.path.realpath(self._sysfs.root / source.lstrip("/")))

    @cached_property
    def consoles(self) -> frozenset[str]:
        """The kernel's consoles that are terminals of a hypervisor (``hvc0``)."""
        lines = self._sysfs.read(self._sysfs.proc / "consoles").splitlines()
        return frozenset(line.split()[0] for line in lines if line.startswith("hvc"))

    @cached_property
    def terminals(self) -> dict[str, str]:
        """Port of a virtio console -> its terminal, empty for a port that is no console; from debugfs."""
        debug = self._sysfs.sys / "kernel/debug/virtio-ports"
        return {port: _terminal(self._sysfs.read(debug / port)) for port in self._sysfs.names(debug)}

    @cached_property
    def shares(self) -> dict[str, str]:
        """Name of a virtio device (``virtio3``) -> its 9p mount tag, empty for one that has none."""
        devices = self._sysfs.sys / "bus/virtio/devices"
        return {name: self._sysfs.read(devices / name / "mount_tag") for name in self._sysfs.names(devices)}

    @cached_property
    def tags(self) -> frozenset[str]:
        """The 9p mount tags of all devices."""
        return frozenset(self.shares.values())

    @cached_property
    def virtiofs(self) -> dict[str, str]:
        """Name of a virtio device -> its virtiofs tag, where the kernel tells them."""
        places = self._sysfs.sys / "fs/virtiofs"
        found = {self._sysfs.link(places / name / "device"): places / name for name in self._sysfs.names(places)}
        return {name: self._sysfs.read(at / "tag") for name, at in found.items() if name is not None}

    @cached_property
    def inet6(self) -> dict[str, list[str]]:
        """Network interface -> its IPv6 addresses."""
        found: dict[str, list[str]] = {}
        for line in self._sysfs.read(self._sysfs.proc / "net/if_inet6").splitlines():
            fields = line.split()
            if len(fields) == 6:
                found.setdefault(fields[5], []).append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0])))
        return found

    @cached_property
    def plugged_memory(self) -> bool:
        """Whether there is memory of a virtio-mem device among the system's."""
        return "virtio_mem" in self._sysfs.read(self._sysfs.proc / "iomem")

    @cached_property
    def screen_console(self) -> bool:
        """Whether the console runs on a frame buffer."""
        at = self._sysfs.sys / "class/vtconsole"
        return any(
            self._sysfs.number(at / name / "bind") and "frame buffer" in self._sysfs.read(at / name / "name")
            for name in self._sysfs.names(at)
        )

    @cached_property
    def _iommus(self) -> frozenset[str]:
        return frozenset(self._sysfs.names(self._sysfs.sys / "class/iommu"))

    def behind_iommu(self, bdf: str) -> list[str]:
        """The devices whose IOMMU this function is."""
        return self._sysfs.names(self._sysfs.sys / "class/iommu" / bdf / "devices") if bdf in self._iommus else []

    @cached_property
    def _holders(self) -> dict[str, list[str]]:
        """File in /dev -> the processes that have it open."""
        holders: dict[str, list[str]] = {}
        proc, below = str(self._sysfs.proc), f"{self._sysfs.dev}/"
        for pid in self._sysfs.names(proc):
            if not pid.isdigit():
                continue
            folder, seen = f"{proc}/{pid}/fd", set()
            try:
                handles = os.listdir(folder)
            except OSError:
                continue
            for handle in handles:
                try:
                    target = os.readlink(f"{folder}/{handle}")
                except OSError:
                    continue
                if target.startswith(below) and target not in seen:
                    seen.add(target)
                    holders.setdefault(target, []).append(pid)
        return holders

    def holding(self, nodes: dict[str, str]) -> Iterator[str]:
        """A sentence for each process that has one of these files open (path -> name)."""
        told: set[str] = set()
        for path, name in nodes.items():
            for pid in self._holders.get(path, ()):
                if self._command(pid) not in _PASSING and pid not in told:
                    told.add(pid)
                    yield f"/dev/{name} is open in process {pid} ({self._command(pid)})"

    def _command(self, pid: str) -> str:
        if pid not in self._commands:
            self._commands[pid] = self._sysfs.read(self._sysfs.proc / pid / "comm", "?")
        return self._commands[pid]


def _terminal(text: str) -> str:
    number = re.search(r"console_vtermno:\s*(\d+)", text)
    return f"hvc{int(number[1]) - 1}" if number and "is_console: yes" in text else ""


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


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
    for holder in sysfs.names(f"{path}/holders"):
        device = sysfs.sys / "class/block" / holder
        mapped = sysfs.read(device / "dm/name")
        what = f"volume {mapped} ({holder})" if mapped else holder
        kind = "RAID array" if (device / "md").is_dir() else "device-mapper" if mapped else "holder"
        yield f"{name} carries {kind} {what}"
        yield from _block_uses(sysfs, os.path.realpath(device), tables)


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


# -- open files --------------------------------------------------------------------------------------------------------


def _nodes(sysfs: Sysfs, path: str) -> dict[str, str]:
    """Files in /dev that belong to a device: path to name."""
    match = re.search(r"^DEVNAME=(.+)$", sysfs.read(f"{path}/uevent"), re.MULTILINE)
    return {str(sysfs.dev / match[1]): match[1]} if match else {}
