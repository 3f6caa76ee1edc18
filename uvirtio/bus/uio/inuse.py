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

from .discovery import KernelDevice, VirtioChild, describe
from .sysfs import Sysfs

__all__ = ["OpenFiles", "uses"]

_IFF_UP = 1
_SIOCGIFADDR = 0x8915
#: Programs that open every device for a moment, which is no use of it.
_PASSING = ("systemd-udevd", "udevd", "(udev-worker)")


def uses(sysfs: Sysfs, bdf: str, files: OpenFiles | None = None) -> list[str]:
    """What uses a function now; empty when nothing does. Needs root to see other people's open files.

    ``files``: give the same one for many functions, so that the processes are looked through once.
    """
    files = files or OpenFiles(sysfs)
    function = describe(sysfs, bdf)
    found: list[str] = []
    nodes: dict[str, str] = {}
    for child in function.virtio:
        found += _driver_uses(sysfs, bdf, child, files)
        for device in child.devices:
            if device.kind == "block":
                found += _block_uses(sysfs, device.path)
            elif device.kind == "net":
                found += _net_uses(sysfs, device)
            if device.kind in ("block", "virtio-ports", "drm", "sound"):
                nodes |= _nodes(sysfs, device.path)
    if function.uio:
        nodes[str(sysfs.dev / function.uio)] = function.uio
    if function.driver == "vfio-pci" and function.iommu_group is not None:
        nodes[str(sysfs.dev / "vfio" / str(function.iommu_group))] = f"vfio group {function.iommu_group}"
    found += files.holding(nodes)
    attached = sysfs.names(sysfs.sys / "class/iommu" / bdf / "devices")
    if attached:
        found.append(
            f"it is the IOMMU of {len(attached)} other devices ({', '.join(attached[:3])}{' ...' * (len(attached) > 3)})"
        )
    return list(dict.fromkeys(found))


# -- block -------------------------------------------------------------------------------------------------------------


def _block_uses(sysfs: Sysfs, path: Path) -> Iterator[str]:
    # Partitions are found by the same walk, as devices of the class block of their own.
    name, number = path.name, sysfs.read(path / "dev")
    yield from (f"{name} is mounted on {where}" for where in _mounts(sysfs, name, number))
    for line in sysfs.read(sysfs.proc / "swaps").splitlines()[1:]:
        if line and _block_name(sysfs, line.split()[0]) == name:
            yield f"{name} is swap"
    for holder in sysfs.names(path / "holders"):
        device = sysfs.sys / "class/block" / holder
        mapped = sysfs.read(device / "dm/name")
        what = f"volume {mapped} ({holder})" if mapped else holder
        kind = "RAID array" if (device / "md").is_dir() else "device-mapper" if mapped else "holder"
        yield f"{name} carries {kind} {what}"
        yield from _block_uses(sysfs, device.resolve())


def _mounts(sysfs: Sysfs, name: str, number: str) -> Iterator[str]:
    for line in sysfs.read(sysfs.proc / "self/mountinfo").splitlines():
        fields = line.split(" ")
        if len(fields) < 10 or "-" not in fields:
            continue
        source = fields[fields.index("-") + 2]
        # A file system over several devices (btrfs) has a number of its own, but names one of them.
        if (number and fields[2] == number) or (source.startswith("/dev/") and _block_name(sysfs, source) == name):
            yield _unescape(fields[4])


def _block_name(sysfs: Sysfs, source: str) -> str:
    path = sysfs.root / source.lstrip("/")
    return os.path.basename(os.path.realpath(path))


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


# -- network -----------------------------------------------------------------------------------------------------------


def _net_uses(sysfs: Sysfs, device: KernelDevice) -> Iterator[str]:
    name = device.name
    if sysfs.number(device.path / "flags") & _IFF_UP:
        yield f"network interface {name} is up"
    addresses = _addresses(sysfs, name)
    if addresses:
        yield f"network interface {name} has the address {', '.join(addresses)}"
    master = sysfs.link(device.path / "master")
    if master:
        yield f"network interface {name} is a port of {master}"


def _addresses(sysfs: Sysfs, name: str) -> list[str]:
    found = []
    for line in sysfs.read(sysfs.proc / "net/if_inet6").splitlines():
        fields = line.split()
        if len(fields) == 6 and fields[5] == name:
            found.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0])))
    if sysfs.root == Path("/"):
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.ENODEV):
                    raise
    return found


# -- what a driver made of the device ----------------------------------------------------------------------------------


def _driver_uses(sysfs: Sysfs, bdf: str, child: VirtioChild, files: OpenFiles) -> Iterator[str]:
    kinds = {device.kind for device in child.devices}
    if child.driver == "virtio_net" and "net" not in kinds:
        yield f"the network interface of {child.name} is in another network namespace"
    elif child.driver == "virtio_console":
        yield from _console_uses(sysfs, child, files)
    elif child.driver == "9pnet_virtio":
        yield from _share_uses(sysfs, child, "9p", sysfs.read(sysfs.function(bdf) / child.name / "mount_tag"))
    elif child.driver == "virtiofs":
        yield from _share_uses(sysfs, child, "virtiofs", _virtiofs_tag(sysfs, child.name))
    elif child.driver == "virtio_mem" and "virtio_mem" in sysfs.read(sysfs.proc / "iomem"):
        yield f"{child.name} has plugged memory that the system uses"
    elif child.driver == "virtio_gpu":
        yield from _screen_uses(sysfs, child)


def _console_uses(sysfs: Sysfs, child: VirtioChild, files: OpenFiles) -> Iterator[str]:
    """Consoles and logins on the terminals of a device. Which hvc belongs to which port is told by debugfs alone."""
    consoles = {line.split()[0] for line in sysfs.read(sysfs.proc / "consoles").splitlines() if line.startswith("hvc")}
    debug = sysfs.sys / "kernel/debug/virtio-ports"
    terminals = {port: _terminal(sysfs.read(debug / port)) for port in sysfs.names(debug)}
    ports = [device.name for device in child.devices if device.kind == "virtio-ports"]
    mine = {terminal for port in ports if (terminal := terminals.get(port))}
    if mine or not all(port in terminals for port in ports) or not ports:
        # Numbers are given anew when ports come and go: a console that is nobody's may be this device's.
        mine |= consoles - set(terminals.values())
    for name in sorted(mine & consoles):
        yield f"the kernel's console is {name}, which stands on {child.name}"
    yield from files.holding({str(sysfs.dev / name): name for name in sorted(mine)})


def _terminal(text: str) -> str:
    """The terminal of a port from what debugfs says about it; empty for a port that is no console."""
    number = re.search(r"console_vtermno:\s*(\d+)", text)
    return f"hvc{int(number[1]) - 1}" if number and "is_console: yes" in text else ""


def _virtiofs_tag(sysfs: Sysfs, name: str) -> str:
    for entry in sysfs.names(sysfs.sys / "fs/virtiofs"):
        device = sysfs.sys / "fs/virtiofs" / entry / "device"
        if sysfs.link(device) == name:
            return sysfs.read(device.parent / "tag")
    return ""


def _share_uses(sysfs: Sysfs, child: VirtioChild, kind: str, tag: str) -> Iterator[str]:
    """Mounts of a shared directory. A source that is nobody's tag, or a device whose tag is not told: maybe this one."""
    tags = {sysfs.read(at / "mount_tag") for at in (sysfs.sys / "bus/virtio/devices").glob("*")} | {tag}
    for line in sysfs.read(sysfs.proc / "self/mountinfo").splitlines():
        fields = line.split(" ")
        if "-" not in fields or fields[fields.index("-") + 1] != kind:
            continue
        dash = fields.index("-")
        source, where = _unescape(fields[dash + 2]), _unescape(fields[4])
        if kind == "9p" and "trans=virtio" not in " ".join(fields[dash + 3 :]):
            continue
        if tag and source == tag:
            yield f"{child.name} carries the {kind} file system on {where}"
        elif not tag or (kind == "9p" and source not in tags):
            yield f"{child.name} may carry the {kind} file system on {where} (its source is called {source})"


def _screen_uses(sysfs: Sysfs, child: VirtioChild) -> Iterator[str]:
    screens = [device.name for device in child.devices if device.kind == "graphics"]
    for terminal in sysfs.names(sysfs.sys / "class/vtconsole"):
        at = sysfs.sys / "class/vtconsole" / terminal
        if screens and sysfs.number(at / "bind") and "frame buffer" in sysfs.read(at / "name"):
            yield f"the screen console runs on {screens[0]} of {child.name}"


# -- open files --------------------------------------------------------------------------------------------------------


def _nodes(sysfs: Sysfs, path: Path) -> dict[str, str]:
    """Files in /dev that belong to a device: path to name."""
    match = re.search(r"^DEVNAME=(.+)$", sysfs.read(path / "uevent"), re.MULTILINE)
    return {str(sysfs.dev / match[1]): match[1]} if match else {}


class OpenFiles:
    """Which processes have which files of /dev open. Scanned once, when it is first asked, however many devices ask."""

    def __init__(self, sysfs: Sysfs) -> None:
        self._sysfs = sysfs
        self._holders: dict[str, list[str]] | None = None

    def _scan(self) -> dict[str, list[str]]:
        holders: dict[str, list[str]] = {}
        proc, below = str(self._sysfs.proc), str(self._sysfs.dev) + "/"
        for pid in self._sysfs.names(self._sysfs.proc):
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
        if not nodes:
            return
        if self._holders is None:
            self._holders = self._scan()
        told: set[str] = set()
        for path, name in nodes.items():
            for pid in self._holders.get(path, ()):
                command = self._sysfs.read(self._sysfs.proc / pid / "comm", "?")
                if command not in _PASSING and pid not in told:
                    told.add(pid)
                    yield f"/dev/{name} is open in process {pid} ({command})"
