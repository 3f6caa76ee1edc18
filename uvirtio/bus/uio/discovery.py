"""Which virtio PCI functions there are, what the kernel made of them, and what a name stands for.

Works without root: what only root can read is left out. Of a device itself only configuration space is read, which disturbs
nothing (see :mod:`.image`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ...errors import CannotRun, LocatorError, NoSuchDevice
from ...pci.header import Identity
from ...spec.ids import VENDOR, is_virtio
from ...spec.pci import Header
from .image import read_image, read_rest
from .sysfs import Directory, Sysfs, address_order, is_address

__all__ = [
    "BarResource",
    "KernelDevice",
    "PciFunction",
    "VirtioChild",
    "bars_of",
    "describe",
    "discover",
    "kernel_devices",
    "resolve",
    "whole_config",
]

_IORESOURCE_IO = 0x0100
_IORESOURCE_MEM = 0x0200
_IORESOURCE_PREFETCH = 0x2000
_IORESOURCE_MEM_64 = 0x0010_0000

#: What people mean by "what became of it", by the kernel's class names.
_CLASSES = frozenset(
    (
        "net",
        "block",
        "nd",
        "virtio-ports",
        "tty",
        "input",
        "sound",
        "drm",
        "graphics",
        "bluetooth",
        "ptp",
        "rtc",
        "gpio",
    )
)
_SLOT = re.compile(
    r"(?:(?:(?P<domain>[0-9a-f]{1,8}):)?(?P<bus>[0-9a-f]{1,2}):)?(?P<slot>[0-9a-f]{1,2})\.(?P<function>[0-7])"
)
_CHILD = re.compile(r"virtio\d+")
_VIRTUAL = re.compile(r"virtfn\d+")
_BITS = re.compile("[01]+")
#: Directories that stand below devices and have none below them.
_NO_DEVICES = frozenset(
    ("power", "queue", "queues", "mq", "statistics", "integrity", "holders", "slaves", "trace", "link", "msi_irqs")
)


class BarResource(NamedTuple):
    """A BAR as the kernel placed it: number, address and size in bytes, and its kind."""

    number: int
    address: int
    size: int
    io: bool
    wide: bool = False
    prefetchable: bool = False


class KernelDevice(NamedTuple):
    """Something that a kernel driver made of a function: its class (``net``, ``block`` …) and name (``eth0``)."""

    kind: str
    name: str
    path: str


class VirtioChild(NamedTuple):
    """A ``virtioN`` under a function: the driver on it, the *negotiated* features, the status, what became of it."""

    name: str
    driver: str | None
    #: Negotiated feature bits, and the status; None where the kernel does not say.
    features: int | None
    status: int | None
    devices: tuple[KernelDevice, ...]


@dataclass(frozen=True, slots=True)
class PciFunction:
    """A PCI function as sysfs shows it. ``address`` is the full ``dddd:bb:dd.f``; numbers are -1 where unknown."""

    address: str
    #: Its interrupt pin is 0 for virtual functions, whatever they show.
    identity: Identity
    driver: str | None
    driver_override: str
    #: Linux interrupt number, 0 for none.
    irq: int
    #: Linux numbers of the MSI and MSI-X vectors in use now.
    msi: tuple[int, ...]
    iommu_group: int | None
    #: ``DMA``, ``DMA-FQ``, ``identity`` …; empty without an IOMMU group.
    iommu_type: str
    numa_node: int
    bars: tuple[BarResource, ...]
    virtio: tuple[VirtioChild, ...]
    uio: str | None
    #: Configuration space: the header and the capabilities, 0 between them; 64 bytes without root, less when it vanishes.
    config: bytes = field(repr=False)
    #: The physical function that this virtual one belongs to (SR-IOV), None for every other function.
    physical: str | None = None
    #: The virtual functions that this physical one has now; they go when its driver does.
    virtual: tuple[str, ...] = ()

    @property
    def translated(self) -> bool:
        """Whether an IOMMU translates what the function puts on the bus (group type neither absent nor identity)."""
        return self.iommu_type.startswith("DMA")

    @property
    def driven(self) -> VirtioChild | None:
        """The virtio device that a driver of the kernel has negotiated with, None where there is none or nothing is told."""
        return next((child for child in self.virtio if child.features is not None), None)

    @property
    def kernel_names(self) -> tuple[str, ...]:
        """What the kernel calls it and what became of it: ``virtio3``, ``eth0`` …"""
        names: list[str] = []
        for child in self.virtio:
            names += [child.name, *(device.name for device in child.devices)]
        return (*names, self.uio) if self.uio else tuple(names)


def discover(sysfs: Sysfs | None = None) -> list[PciFunction]:
    """All virtio PCI functions of this machine, in the order of their addresses; those that vanish are left out."""
    sysfs = sysfs or Sysfs()
    found: list[PciFunction] = []
    for address in sysfs.addresses():
        with sysfs.directory(address) as directory:
            vendor = directory.number("vendor", -1)
            if vendor == VENDOR and is_virtio(vendor, device := directory.number("device", -1)):
                found.append(_describe(directory, address, vendor, device))
    return found


def describe(sysfs: Sysfs, bdf: str) -> PciFunction:
    """What sysfs says about one function, virtio or not; it may vanish while it is read."""
    with sysfs.directory(bdf) as directory:
        return _describe(directory, bdf, directory.number("vendor", -1), directory.number("device", -1))


def _describe(directory: Directory, bdf: str, vendor: int, device: int) -> PciFunction:
    there = directory.names()
    group = directory.link("iommu_group") if "iommu_group" in there else None
    override = directory.read("driver_override")
    physical = directory.link("physfn") if "physfn" in there else None
    with directory.file("config") as handle:
        config = read_image(handle)
    # PCIe gives virtual functions no INTx, so the kernel does not look at their pin; some devices show one all the same.
    has_pin = physical is None and len(config) >= Header.FIRST_CAPABILITY
    return PciFunction(
        address=bdf,
        identity=Identity(
            vendor,
            device,
            directory.number("revision", -1),
            directory.number("class", -1),
            directory.number("subsystem_vendor", -1),
            directory.number("subsystem_device", -1),
            config[Header.INTERRUPT_PIN] % 0xFF if has_pin else 0,
        ),
        driver=directory.link("driver"),
        driver_override="" if override == "(null)" else override,
        irq=directory.number("irq"),
        msi=tuple(sorted(int(name) for name in directory.names("msi_irqs") if name.isdigit()))
        if "msi_irqs" in there
        else (),
        iommu_group=int(group) if group is not None and group.isdigit() else None,
        iommu_type=directory.read("iommu_group/type") if group is not None else "",
        numa_node=directory.number("numa_node", -1),
        bars=_bars(directory.read("resource")),
        virtio=tuple(_child(directory, name) for name in there if _CHILD.fullmatch(name)),
        uio=next((name for name in directory.names("uio") if name.startswith("uio")), None) if "uio" in there else None,
        config=config,
        physical=physical,
        virtual=_virtual(directory, there),
    )


def _virtual(directory: Directory, there: list[str]) -> tuple[str, ...]:
    numbers = sorted(int(name[6:]) for name in there if _VIRTUAL.fullmatch(name))
    return tuple(address for number in numbers if (address := directory.link(f"virtfn{number}")) is not None)


def bars_of(sysfs: Sysfs, bdf: str) -> tuple[BarResource, ...]:
    """The base address registers of a function alone."""
    with sysfs.directory(bdf) as directory:
        return _bars(directory.read("resource"))


def whole_config(sysfs: Sysfs, function: PciFunction) -> bytes:
    """``function.config`` with what lies between the capabilities."""
    if len(function.config) < Header.SIZE:
        return function.config
    with sysfs.directory(function.address) as directory, directory.file("config") as handle:
        return read_rest(handle, function.config)


def _bars(resource: str) -> tuple[BarResource, ...]:
    bars: list[BarResource] = []
    for number, line in enumerate(resource.splitlines()[: Header.BARS]):
        try:
            start, end, flags = (int(part, 0) for part in line.split())
        except ValueError:
            continue
        if not flags & (_IORESOURCE_IO | _IORESOURCE_MEM) or end < start or not end:
            continue
        wide, prefetchable = bool(flags & _IORESOURCE_MEM_64), bool(flags & _IORESOURCE_PREFETCH)
        bars.append(BarResource(number, start, end - start + 1, bool(flags & _IORESOURCE_IO), wide, prefetchable))
    return tuple(bars)


def _child(directory: Directory, name: str) -> VirtioChild:
    at = f"{directory.path}/{name}"
    bits = directory.read(f"{name}/features")  # one character a bit, bit 0 first
    driver = directory.link(f"{name}/driver")
    status = directory.number(f"{name}/status", -1)
    devices = list(kernel_devices(at))
    if driver == "virtio_rng":
        # hw_random has one character device for whichever source is current, and no link back to its sources.
        devices.append(KernelDevice("hw_random", "hwrng", at))
    return VirtioChild(
        name=name,
        driver=driver,
        features=int(bits[::-1], 2) if _BITS.fullmatch(bits) else None,
        status=status if status >= 0 else None,
        devices=tuple(devices),
    )


def kernel_devices(at: str) -> Iterator[KernelDevice]:
    """The devices of the interesting classes below a device directory, disks behind a SCSI host included."""
    try:
        with os.scandir(at) as entries:
            below = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return
    for name in below:
        if name in _NO_DEVICES:
            continue
        path = f"{at}/{name}"
        try:
            kind = os.path.basename(os.readlink(f"{path}/subsystem"))
        except OSError:
            kind = ""  # a directory that groups what is of one class, or something that is no device
        if kind in _CLASSES:
            yield KernelDevice(kind, name, path)
        yield from kernel_devices(path)


def resolve(text: str, sysfs: Sysfs | None = None) -> str:
    """The full address that a name stands for: an address with parts left out, ``virtio3``, ``eth0``, ``vda``.

    Raises :class:`NoSuchDevice`; :class:`LocatorError` where the name fits several functions.
    """
    sysfs = sysfs or Sysfs()
    name = text.strip()
    slot = _SLOT.fullmatch(name.lower())
    if slot:
        return _resolve_slot(sysfs, name, slot)
    name = name.removeprefix("/dev/")
    if not name or "/" in name or name in (".", ".."):
        raise NoSuchDevice(f"{text!r} names no device; `uvirtio list` shows those that there are")
    places = [sysfs.sys / "bus/virtio/devices" / name]
    places += [sysfs.sys / "class" / kind / name for kind in sysfs.names(sysfs.sys / "class")]
    known = None
    for place in places:
        if not place.exists():
            continue
        known = place
        # From the device upwards, the nearest PCI function is the one that it stands on.
        for directory in (real := place.resolve(), *real.parents):
            if is_address(directory.name) and sysfs.exists(directory.name):
                return directory.name
    if known is not None:
        raise NoSuchDevice(f"{name} does not stand on a PCI function; `uvirtio list` shows what does")
    raise NoSuchDevice(f"there is no device called {name} here; `uvirtio list` shows those that there are")


def _resolve_slot(sysfs: Sysfs, text: str, slot: re.Match[str]) -> str:
    wanted = [int(part, 16) if part else None for part in slot.group("domain", "bus", "slot", "function")]
    fits = [
        address
        for address in sysfs.addresses()
        if all(want in (None, part) for want, part in zip(wanted, address_order(address), strict=True))
    ]
    if len(fits) > 1:
        # A short address is said by someone who thinks of one virtio device: the others do not count.
        fits = [address for address in fits if sysfs.number(sysfs.function(address) / "vendor") == VENDOR] or fits
    if not fits:
        if not sysfs.addresses():
            raise CannotRun("this machine shows no PCI bus (/sys/bus/pci/devices is empty or /sys is not mounted)")
        raise NoSuchDevice(
            f"there is no PCI function {text}; `uvirtio list` shows the virtio functions of this machine"
        )
    if len(fits) > 1:
        raise LocatorError(f"{text} fits {', '.join(fits)}: write the whole address")
    return fits[0]
