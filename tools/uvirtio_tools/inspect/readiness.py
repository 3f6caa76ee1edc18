"""What a machine needs to drive devices, one fact each, with what to type where it is wrong. Nothing is changed."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from uvirtio.access.fence import unfit_cpu
from uvirtio.bus.uio.groups import vfio_node
from uvirtio.bus.uio.hugepages import HUGE_PAGE
from uvirtio.bus.uio.inuse import uses
from uvirtio.bus.uio.journal import Journal
from uvirtio.bus.uio.lock import RUN
from uvirtio.bus.uio.sysfs import OURS, UIO_DRIVER, Sysfs
from uvirtio.bus.uio.tables import Tables
from uvirtio.errors import UvirtioError

from .facts import Fact, Machine, ask, kernel_option
from .isolation import iommu, lockdown, pins, vfio

__all__ = ["Fact", "examine"]

#: uname's name of a machine -> Debian's.
_DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}
_CAP_SYS_RAWIO, _CAP_SYS_ADMIN = 17, 21
_PRESENT, _FRAME = 1 << 63, (1 << 55) - 1


def examine(sysfs: Sysfs | None = None, run: Path = RUN) -> list[Fact]:
    """Every fact, in the order in which things have to be put right."""
    machine = Machine(sysfs or Sysfs(), run, os.uname().release, os.geteuid() == 0)
    facts: list[Fact] = []
    for question in _QUESTIONS:
        facts += question(machine)
    return facts


def _interpreter(machine: Machine) -> list[Fact]:
    text = f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}"
    if sys.implementation.name != "cpython":
        return [
            Fact(
                "Python",
                "missing",
                f"{text}: its stores to registers are not of the right width",
                "use CPython 3.11 or newer",
            )
        ]
    if why := unfit_cpu():
        return [Fact("Python", "missing", f"{text}: {why}", "see there, or use a machine with an x86 or arm64 CPU")]
    return [Fact("Python", "ok", text)]


def _privilege(machine: Machine) -> list[Fact]:
    status = machine.sysfs.read(machine.sysfs.proc / "self/status")
    line = next((line for line in status.splitlines() if line.startswith("CapEff:")), "")
    try:
        effective = int(line.partition(":")[2], 16)
    except ValueError:
        effective = 0
    lacking = [
        name
        for name, bit in (("CAP_SYS_ADMIN", _CAP_SYS_ADMIN), ("CAP_SYS_RAWIO", _CAP_SYS_RAWIO))
        if not effective >> bit & 1
    ]
    if not machine.root:
        return [
            Fact("privilege", "missing", "not root: emulated: and qemu: work, real devices do not", "sudo uvirtio ...")
        ]
    if lacking:
        return [
            Fact(
                "privilege",
                "missing",
                f"root, but without {' and '.join(lacking)}",
                "start the container with --privileged",
            )
        ]
    return [Fact("privilege", "ok", "root, with CAP_SYS_ADMIN and CAP_SYS_RAWIO")]


def _devices(machine: Machine) -> list[Fact]:
    if not machine.sysfs.addresses():
        return [
            Fact(
                "devices",
                "missing",
                "this machine shows no PCI bus",
                "mount -t sysfs sysfs /sys, or run it in a VM with PCI",
            )
        ]
    functions = machine.functions()
    if not functions:
        return [Fact("devices", "note", "there is no virtio PCI function here", "uvirtio suspend emulated:rng")]
    types = ", ".join(f"{function.address} {function.identity.type_name}" for function in functions)
    return [Fact("devices", "ok", f"{len(functions)} virtio functions: {types}")]


def _module(machine: Machine) -> list[Fact]:
    if (machine.sysfs.sys / "bus/pci/drivers" / UIO_DRIVER).is_dir():
        return [Fact("kernel module", "ok", f"{UIO_DRIVER} is loaded")]
    found = ask(["modinfo", "-F", "filename", UIO_DRIVER]) if machine.sysfs.root == Path("/") else None
    if found:
        return [Fact("kernel module", "ok", f"{UIO_DRIVER} can be loaded; it is when a device is taken")]
    return [
        Fact(
            "kernel module",
            "missing",
            f"kernel {machine.release} has no {UIO_DRIVER}",
            f"Debian: apt install linux-image-{_DEBIAN.get(platform.machine(), 'amd64')} (or -cloud-); "
            f"Ubuntu: apt install linux-modules-extra-{machine.release}",
        )
    ]


def _huge_pages(machine: Machine) -> list[Fact]:
    pool = machine.sysfs.sys / "kernel/mm/hugepages/hugepages-2048kB"
    if not pool.is_dir():
        return [
            Fact(
                "huge pages",
                "missing",
                "this kernel has no 2 MiB huge pages; DMA memory needs them",
                "use a kernel with CONFIG_HUGETLBFS",
            )
        ]
    total, free = (machine.sysfs.number(pool / f"{name}_hugepages") for name in ("nr", "free"))
    available = _available(machine)
    text = f"{free} of {total} huge pages of 2 MiB are free; missing ones are asked for and given back"
    if not free and available is not None and available < 4 * HUGE_PAGE:
        return [
            Fact(
                "huge pages", "missing", f"{text}, but only {available >> 20} MiB of memory is left", "free some memory"
            )
        ]
    return [Fact("huge pages", "ok", text)]


def _available(machine: Machine) -> int | None:
    for line in machine.sysfs.read(machine.sysfs.proc / "meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _pagemap(machine: Machine) -> list[Fact]:
    import ctypes

    byte = ctypes.create_string_buffer(1)
    page = ctypes.addressof(byte) // os.sysconf("SC_PAGE_SIZE")
    try:
        with open(machine.sysfs.proc / "self/pagemap", "rb", buffering=0) as pagemap:
            entry = int.from_bytes(os.pread(pagemap.fileno(), 8, page * 8), "little")
    except OSError as error:
        return [
            Fact(
                "physical addresses",
                "missing",
                f"/proc/self/pagemap: {error.strerror}",
                "use a kernel with CONFIG_PROC_PAGE_MONITOR",
            )
        ]
    if entry & _PRESENT and entry & _FRAME:
        return [Fact("physical addresses", "ok", "/proc/self/pagemap gives them")]
    return [
        Fact(
            "physical addresses", "missing", "/proc/self/pagemap hides them: it takes CAP_SYS_ADMIN", "sudo uvirtio ..."
        )
    ]


def _strict_memory(machine: Machine) -> list[Fact]:
    setting = kernel_option(machine, "CONFIG_IO_STRICT_DEVMEM")
    relaxed = "iomem=relaxed" in machine.sysfs.read(machine.sysfs.proc / "cmdline").split()
    if setting == "y" and not relaxed:
        text = "on: registers can be mapped once a device is on uio_pci_generic, not while a kernel driver holds it"
        return [Fact("strict I/O memory", "ok", text)]
    if setting is None:
        return [
            Fact(
                "strict I/O memory",
                "note",
                "unknown: the kernel's configuration is not to be found; nothing depends on it",
            )
        ]
    return [Fact("strict I/O memory", "ok", "off" if setting != "y" else "relaxed on the kernel's command line")]


def _holders(machine: Machine) -> list[Fact]:
    facts = []
    tables = Tables(machine.sysfs)
    for function in machine.functions():
        using = uses(machine.sysfs, function, tables)
        name = function.address.removeprefix("0000:")
        if using:
            facts.append(
                Fact(
                    name,
                    "note",
                    f"{function.identity.type_name}, in use: {'; '.join(using)}",
                    "it is taken with --force only",
                )
            )
        elif function.driver in OURS:
            node = function.uio if function.driver == UIO_DRIVER else vfio_node(machine.sysfs, function.address)
            facts.append(Fact(name, "ok", f"{function.identity.type_name}, on {function.driver} (/dev/{node})"))
        elif function.driver:
            facts.append(Fact(name, "ok", f"{function.identity.type_name}, on {function.driver}; it can be taken"))
        else:
            facts.append(Fact(name, "ok", f"{function.identity.type_name}, without a driver; it can be taken"))
    return facts


def _leftovers(machine: Machine) -> list[Fact]:
    try:
        pending = Journal(machine.run).pending()
    except UvirtioError as error:
        return [Fact("given back", "note", "unknown", str(error))]
    if pending:
        text = f"{', '.join(pending)}: taken and not given back (or in use by another uvirtio now)"
        return [Fact("given back", "note", text, "uvirtio restore --all")]
    return [Fact("given back", "ok", "nothing that was taken is left over")]


def _qemu(machine: Machine) -> list[Fact]:
    from uvirtio.bus.qemu.process import find_qemu

    try:
        path = find_qemu(None)
    except UvirtioError as error:
        return [Fact("QEMU", "note", "none, so qemu: devices cannot be had", str(error))]
    told = (ask([path, "--version"]) or "version unknown").splitlines()[0]
    if ask([path, "-machine", "none", "-device", "vfio-user-pci,help"]):
        return [Fact("QEMU", "ok", f"{path}: {told}, with vfio-user-pci")]
    return [
        Fact(
            "QEMU",
            "note",
            f"{path}: {told}, without vfio-user-pci",
            "QEMU 10.1 or newer can show `uvirtio serve` devices to a guest",
        )
    ]


def _packages(machine: Machine) -> list[Fact]:
    facts = []
    for name, why, advice in (
        ("rich", "output", "pip install rich, on Debian apt install python3-rich"),
        ("pyudev", "hotplug", "pip install pyudev, on Debian apt install python3-pyudev"),
        ("periphery", "mapping registers", "pip install python-periphery, on Debian apt install python3-periphery"),
    ):
        if find_spec(name) is None:
            facts.append(Fact("packages", "missing", f"{name} ({why}) is not installed", advice))
    if find_spec("textual") is None:
        facts.append(
            Fact(
                "packages",
                "note",
                "textual is not installed, so there is no `uvirtio tui`",
                "pip install 'uvirtio[tui]'",
            )
        )
    return facts or [Fact("packages", "ok", "rich, pyudev, python-periphery and textual are installed")]


_QUESTIONS: tuple[Callable[[Machine], list[Fact]], ...] = (
    _interpreter,
    _packages,
    _privilege,
    _devices,
    _module,
    _huge_pages,
    _pagemap,
    _strict_memory,
    lockdown,
    iommu,
    vfio,
    pins,
    _qemu,
    _leftovers,
    _holders,
)
