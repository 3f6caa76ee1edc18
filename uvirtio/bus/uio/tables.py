"""What the kernel keeps for the whole machine and not by device: mounts, swap, consoles, open files."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from .sysfs import Sysfs

__all__ = ["Mount", "Tables"]

#: Programs that open every device for a moment, which is no use of it.
_PASSING = ("systemd-udevd", "udevd", "(udev-worker)")


class Mount(NamedTuple):
    """A line of mountinfo: device number, where, file system, source, the block device that the source names, options."""

    number: str
    where: str
    kind: str
    source: str
    block: str
    options: str


class Tables:
    """The tables of one moment. Each is read once, when it is first asked for, however many devices ask."""

    def __init__(self, sysfs: Sysfs) -> None:
        self._sysfs = sysfs
        self._commands: dict[str, str] = {}

    @cached_property
    def mounts(self) -> list[Mount]:
        """Everything that is mounted: here, and what only containers and services see that have mounts of their own."""
        found = self._mounts("self")
        here = {(mount.number, mount.source) for mount in found}
        seen = {self._sysfs.link(self._sysfs.proc / "self/ns/mnt"), None}
        for pid in self._processes:
            if (namespace := self._sysfs.link(self._sysfs.proc / pid / "ns/mnt")) not in seen:
                seen.add(namespace)
                whose = f" of process {pid} ({self._command(pid)})"
                more = (mount for mount in self._mounts(pid) if (mount.number, mount.source) not in here)
                found += [mount._replace(where=mount.where + whose) for mount in more]
        return found

    def _mounts(self, pid: str) -> list[Mount]:
        found = []
        for line in self._sysfs.read(self._sysfs.proc / pid / "mountinfo").splitlines():
            fields = line.split(" ")
            dash = fields.index("-") if "-" in fields else len(fields)
            if dash + 2 < len(fields):
                source, options = _unescape(fields[dash + 2]), " ".join(fields[dash + 3 :])
                block = self._block_name(source) if source.startswith("/dev/") else ""
                found.append(Mount(fields[2], _unescape(fields[4]), fields[dash + 1], source, block, options))
        return found

    @cached_property
    def members(self) -> dict[str, str]:
        """Block device -> the file system over several devices, or the loop device, that has it."""
        found: dict[str, str] = {}
        volumes = self._sysfs.sys / "fs/btrfs"
        for volume in self._sysfs.names(volumes):
            label = self._sysfs.read(volumes / volume / "label") or volume
            found |= dict.fromkeys(self._sysfs.names(volumes / volume / "devices"), f"the btrfs file system {label}")
        blocks = self._sysfs.sys / "class/block"
        for loop in (name for name in self._sysfs.names(blocks) if name.startswith("loop")):
            if (backing := self._sysfs.read(blocks / loop / "loop/backing_file")).startswith("/dev/"):
                found[self._block_name(backing)] = loop
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
    def _processes(self) -> list[str]:
        return [name for name in self._sysfs.names(self._sysfs.proc) if name.isdigit()]

    @cached_property
    def _holders(self) -> dict[str, list[tuple[str, str]]]:
        """File in /dev -> the processes that have a handle of it, and which."""
        holders: dict[str, list[tuple[str, str]]] = {}
        proc, below = str(self._sysfs.proc), f"{self._sysfs.dev}/"
        for pid in self._processes:
            folder = f"{proc}/{pid}/fd"
            try:
                handles = os.listdir(folder)
            except OSError:
                continue
            for handle in handles:
                try:
                    target = os.readlink(f"{folder}/{handle}")
                except OSError:
                    continue
                if target.startswith(below):
                    holders.setdefault(target, []).append((pid, handle))
        return holders

    def _only_named(self, pid: str, handle: str) -> bool:
        """Whether a handle names its file and no more (O_PATH), which anybody may have of any file."""
        flags = re.search(
            r"^flags:\s*([0-7]+)$", self._sysfs.read(self._sysfs.proc / pid / "fdinfo" / handle), re.MULTILINE
        )
        return flags is not None and bool(int(flags[1], 8) & os.O_PATH)

    def holding(self, nodes: dict[str, str]) -> Iterator[str]:
        """A sentence for each process that has one of these files open (path -> name)."""
        told: set[str] = set()
        for path, name in nodes.items():
            for pid, handle in self._holders.get(path, ()):
                if pid not in told and self._command(pid) not in _PASSING and not self._only_named(pid, handle):
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
