"""Where descriptions come from: an open function, this machine's sysfs, a snapshot file.

A function that a kernel driver holds is told from sysfs and configuration space alone, which disturbs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from uvirtio.access.clock import RealClock
from uvirtio.access.view import Region
from uvirtio.bus import Function
from uvirtio.bus.locator import open_function, parse
from uvirtio.bus.uio.discovery import PciFunction, describe, discover, resolve
from uvirtio.bus.uio.inuse import OpenFiles, uses
from uvirtio.bus.uio.lock import RUN, FunctionLock
from uvirtio.bus.uio.sysfs import UIO_DRIVER, Sysfs
from uvirtio.errors import (
    CannotRun,
    DeviceMisbehaved,
    NoSuchDevice,
    UvirtioError,
)
from uvirtio.queue import QueueState
from uvirtio.spec.ids import device_type
from uvirtio.spec.pci import CapabilityId, Header, PciStatus, StructureType

from .build import Place, describe_place
from .findings import feature_rows, offered_dialects
from .model import Description

__all__ = ["describe_all", "describe_locator", "describe_open", "describe_sysfs"]


def describe_locator(text: str, *, intrusive: bool = False, sysfs: Sysfs | None = None) -> Description:
    """Describe the device that a locator names, leaving it as it was.

    ``intrusive`` looks behind a kernel driver through the PCI_CFG window. Raises :class:`UvirtioError`.
    """
    locator = parse(text)
    if locator.bus == "uio":
        locator.check_parameters()
        sysfs = sysfs or Sysfs()
        return describe_sysfs(describe(sysfs, resolve(locator.target, sysfs)), sysfs, intrusive=intrusive)
    with open_function(locator) as function:
        return describe_open(function)


def describe_all(sysfs: Sysfs | None = None, *, registers: bool = True) -> Iterator[Description | UvirtioError]:
    """Every virtio function of this machine; one that fails is its error, and the rest goes on."""

    sysfs = sysfs or Sysfs()
    files = OpenFiles(sysfs)
    for function in discover(sysfs):
        try:
            yield describe_sysfs(function, sysfs, registers=registers, files=files)
        except UvirtioError as error:
            yield error


def describe_open(function: Function, rings: Mapping[int, QueueState] | None = None) -> Description:
    """Describe an open function; ``rings`` are those that this process drives."""
    place = Place(
        function.locator, function.bus, "registers", function.config, function.bar, function.clock, rings=rings
    )
    return replace(describe_place(place), facts=function.facts())


def describe_sysfs(
    function: PciFunction,
    sysfs: Sysfs,
    *,
    intrusive: bool = False,
    registers: bool = True,
    run: Path = RUN,
    files: OpenFiles | None = None,
) -> Description:
    """Describe a function of this machine. ``registers`` False leaves its BARs alone in any case.

    ``run`` is where the locks are: a function that another uvirtio drives is left alone too.
    """
    held = function.driver is not None and function.driver != UIO_DRIVER
    notes: list[str] = []
    data = _read_config(sysfs, function.address)
    if len(data) < Header.SIZE:
        notes.append("only root can read configuration space beyond the header: no capabilities, no registers")
    if held and not intrusive:
        notes.append(
            f"{function.driver} holds the device: offered features, queues and configuration are not read, so as not to "
            "disturb it; --intrusive reads them through the PCI_CFG window"
        )
    description = None
    if len(data) == Header.SIZE and registers and (intrusive or not held):
        try:
            with _registers(function, sysfs, held, run) as place:
                description = describe_place(place)
        except (CannotRun, DeviceMisbehaved) as error:
            notes.append(f"the registers were not read: {error}")
    if description is None:
        description = describe_place(_quiet_place(function, data))
        description = replace(description, source="sysfs")
    return _with_sysfs(description, function, sysfs, data, notes, files)


def _read_config(sysfs: Sysfs, bdf: str) -> bytes:
    try:
        data = (sysfs.function(bdf) / "config").read_bytes()
    except OSError as error:
        raise NoSuchDevice(f"{bdf} disappeared while it was read ({error.strerror})") from error
    if len(data) < Header.FIRST_CAPABILITY:
        raise NoSuchDevice(f"{bdf}: configuration space gives {len(data)} bytes; the device is going away")
    return data[: Header.SIZE]


def _unreachable(number: int) -> Region:
    raise CannotRun(f"BAR {number} is left alone")


def _quiet_place(function: PciFunction, data: bytes) -> Place:
    """Configuration space as it was read once, and nothing else."""
    image = bytearray(data.ljust(Header.SIZE, b"\0"))
    if len(data) < Header.SIZE:
        # The list starts behind what was readable.
        image[Header.STATUS] &= ~PciStatus.CAPABILITIES & 0xFF
    return Place(
        function.address,
        "uio",
        "sysfs",
        Region.mapped(memoryview(bytes(image))),
        _unreachable,
        RealClock(),
        registers=False,
        sizes={bar.number: bar.size for bar in function.bars},
    )


@contextmanager
def _registers(function: PciFunction, sysfs: Sysfs, held: bool, run: Path) -> Iterator[Place]:
    """The way to the registers: mapped BARs, or the PCI_CFG window where a driver holds the function."""
    from uvirtio.bus.uio.bars import OpenBar, open_bar
    from uvirtio.bus.uio.quiesce import config_region

    config = config_region(sysfs, function.address)
    sizes = {bar.number: bar.size for bar in function.bars}
    opened: dict[int, OpenBar] = {}

    def mapped(number: int) -> Region:
        if number not in opened:
            opened[number] = open_bar(sysfs, function.address, number)
        return opened[number].region

    # Somebody else's uvirtio selects queues and features of its own.
    lock = FunctionLock(function.address, run)
    try:
        bar = _window(config, sizes) if held else mapped
        source = "PCI_CFG window" if held else "registers"
        yield Place(function.address, "uio", source, config, bar, RealClock(), sizes=sizes)
    finally:
        for each in opened.values():
            each.close()
        lock.release()


def _window(config: Region, sizes: Mapping[int, int]) -> Callable[[int], Region]:
    from uvirtio.pci.capabilities import walk
    from uvirtio.pci.window import window_bar

    capabilities, _ = walk(config, sizes.get)
    for capability in capabilities:
        structure = capability.structure
        if capability.id == CapabilityId.VENDOR and structure is not None and structure.type == StructureType.PCI_CFG:
            at = capability.at
            return lambda number: window_bar(config, at, number, sizes.get(number, 0))
    raise CannotRun("the device has no PCI_CFG capability, so there is no way past its driver; `uvirtio bind` takes it")


def _with_sysfs(
    description: Description,
    function: PciFunction,
    sysfs: Sysfs,
    data: bytes,
    notes: list[str],
    files: OpenFiles | None,
) -> Description:
    """Add what the kernel knows about the function."""

    if function.driver == UIO_DRIVER and description.source == "sysfs" and not notes:
        notes.append("the registers were not read")
    child = next((child for child in function.virtio if child.features is not None), None)
    interrupt = description.interrupt and replace(
        description.interrupt, linux_irq=function.irq, vectors_in_use=function.msi
    )
    description = replace(
        description,
        driver=function.driver,
        driver_override=function.driver_override,
        kernel_names=function.kernel_names,
        used_by=tuple(uses(sysfs, function.address, files)),
        iommu_group=function.iommu_group,
        iommu_type=function.iommu_type,
        numa_node=function.numa_node if function.numa_node >= 0 else None,
        interrupt=interrupt,
        pci_raw=data.hex(),
        notes=(*notes, *description.notes),
    )
    if child is None or description.source != "sysfs":
        return description
    number = device_type(function.device, function.subsystem)
    negotiated = child.features or 0
    dialects = offered_dialects(number, negotiated, legacy=description.interface == "legacy")
    return replace(
        description,
        status=child.status if child.status is not None and child.status >= 0 else None,
        accepted=negotiated,
        features=feature_rows(number, None, negotiated, legacy=description.interface == "legacy"),
        suspend=dialects,
        suspend_known=bool(dialects),
    )
