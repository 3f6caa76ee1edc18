"""Where descriptions come from: an open function, this machine's sysfs, a snapshot file.

A function that a kernel driver holds is told from sysfs and configuration space alone, which disturbs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uvirtio.access.clock import Clock, RealClock
from uvirtio.access.view import Region
from uvirtio.bus import Function
from uvirtio.bus.locator import parse
from uvirtio.bus.opening import open_function
from uvirtio.bus.uio.discovery import PciFunction, describe, discover, resolve, whole_config
from uvirtio.bus.uio.groups import sharers, told
from uvirtio.bus.uio.inuse import uses
from uvirtio.bus.uio.lock import RUN, FunctionLock
from uvirtio.bus.uio.sysfs import OURS, VFIO_DRIVER, Sysfs
from uvirtio.bus.uio.tables import Tables
from uvirtio.bus.uio.virtual import fill_in, missing
from uvirtio.errors import (
    CannotRun,
    DeviceMisbehaved,
    DeviceTimeout,
    NoSuchDevice,
    UvirtioError,
)
from uvirtio.pci.contradictions import in_window
from uvirtio.spec.pci import Header, PciStatus, StructureCap, StructureType

from .build import Place, describe_place
from .findings import feature_rows, offered_dialects
from .model import Description

if TYPE_CHECKING:
    from uvirtio.queue import QueueState

__all__ = ["Look", "describe_all", "describe_locator", "describe_open", "describe_sysfs"]


@dataclass(frozen=True)
class Look:
    """How much is looked at of a function of this machine."""

    #: Whether the registers of a device that a driver holds are read, through the PCI_CFG window.
    intrusive: bool = False
    #: Whether registers are read at all.
    registers: bool = True
    #: Whether configuration space is read between the capabilities.
    raw: bool = True
    #: Whether it is found out what uses the function.
    used: bool = True


#: All that may be looked at without disturbing a driver.
WHOLE = Look()

#: Longest time of a look at a device that answers at all, in seconds.
_LONGEST = 30.0


def describe_locator(text: str, *, intrusive: bool = False, sysfs: Sysfs | None = None) -> Description:
    """Describe the device that a locator names, leaving it as it was.

    ``intrusive`` looks behind a kernel driver through the PCI_CFG window. Raises :class:`UvirtioError`.
    """
    locator = parse(text)
    if locator.of_this_machine:
        locator.check_parameters()
        sysfs = sysfs or Sysfs()
        return describe_sysfs(describe(sysfs, resolve(locator.target, sysfs)), sysfs, Look(intrusive=intrusive))
    with open_function(locator) as function:
        return describe_open(function)


def describe_all(sysfs: Sysfs | None = None, look: Look = WHOLE) -> Iterator[Description | UvirtioError]:
    """Every virtio function of this machine; one that fails is its error, and the rest goes on."""
    sysfs = sysfs or Sysfs()
    tables = Tables(sysfs)
    for function in discover(sysfs):
        try:
            yield describe_sysfs(function, sysfs, look, tables=tables)
        except UvirtioError as error:
            yield error


def describe_open(
    function: Function, rings: Mapping[int, QueueState] | None = None, *, seconds: float = _LONGEST
) -> Description:
    """Describe an open function; ``rings`` are those that this process drives.

    What has not been read after so many ``seconds`` is a sentence in ``problems``.
    """
    limited = partial(_in_time, function.clock, function.clock.now() + seconds, seconds)
    place = Place(
        function.locator, function.bus, "registers", limited(function.config),
        lambda number: limited(function.bar(number)), function.clock, rings=rings,
    )  # fmt: skip
    return replace(describe_place(place), facts=function.facts())


def _in_time(clock: Clock, ends: float, seconds: float, region: Region) -> Region:
    """Registers that can be looked at until then: how many accesses a look takes is the device's word."""

    def check() -> None:
        if clock.now() > ends:
            raise DeviceTimeout(f"the device is looked at for at most {seconds:g} s", seconds=seconds)

    def read(offset: int, width: int) -> int:
        check()
        return region.read(offset, width)

    def write(offset: int, width: int, value: int) -> None:
        check()
        region.write(offset, width, value)

    return Region.calls(read, write, region.length)


def describe_sysfs(
    function: PciFunction,
    sysfs: Sysfs,
    look: Look = WHOLE,
    *,
    run: Path = RUN,
    tables: Tables | None = None,
) -> Description:
    """Describe a function of this machine.

    ``run`` is where the locks are: a function that another uvirtio drives is left alone too. ``tables``: one for many
    functions.
    """
    held = function.driver is not None and function.driver not in OURS
    notes: list[str] = []
    data = _readable(function)
    if len(data) < Header.SIZE:
        notes.append("only root can read configuration space beyond the header: no capabilities, no registers")
    if held and not look.intrusive:
        notes.append(
            f"{function.driver} holds the device: offered features, queues and configuration are not read, so as not to "
            "disturb it; --intrusive reads them through the PCI_CFG window"
        )
    quiet = _quiet_place(function, data, whole_config(sysfs, function) if look.raw else function.config)
    description = None
    if len(data) == Header.SIZE and look.registers and (look.intrusive or not held):
        try:
            with _registers(quiet, sysfs, held, run) as place:
                description = describe_place(place)
        except (CannotRun, DeviceMisbehaved) as error:
            notes.append(f"the registers were not read: {error}")
    if function.iommu_group is not None and (others := sharers(sysfs, function.address)):
        notes.append(f"IOMMU group {function.iommu_group} is shared with {told(others)}: VFIO gives it away as a whole")
    if held and description is not None:
        description = _believed(description, quiet, sysfs)
    if description is None:
        description = describe_place(quiet)
    return _with_sysfs(description, function, notes, tuple(uses(sysfs, function, tables)) if look.used else ())


def _readable(function: PciFunction) -> bytes:
    """The configuration space of a function, that of a virtual one filled in. Raises :class:`NoSuchDevice`."""
    data = function.config
    if len(data) < Header.FIRST_CAPABILITY:
        raise NoSuchDevice(
            f"{function.address} disappeared while it was read: configuration space gives {len(data)} bytes"
        )
    return fill_in(data, missing(function))


def _unreachable(number: int) -> Region:
    raise CannotRun(f"BAR {number} is left alone")


def _quiet_place(function: PciFunction, data: bytes, raw: bytes) -> Place:
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
        kernel=function,
        raw=raw,
    )


@contextmanager
def _registers(quiet: Place, sysfs: Sysfs, held: bool, run: Path) -> Iterator[Place]:
    """The way to the registers as well: mapped BARs, or the PCI_CFG window where a driver holds the function."""
    # Somebody else's uvirtio selects queues and features of its own.
    lock = FunctionLock(quiet.locator, run)
    try:
        with _window(quiet, sysfs) if held else _mapped(quiet, sysfs) as bar:
            source = "PCI_CFG window" if held else "registers"
            yield replace(quiet, source=source, bar=bar, registers=True)
    finally:
        lock.release()


@contextmanager
def _mapped(quiet: Place, sysfs: Sysfs) -> Iterator[Callable[[int], Region]]:
    from uvirtio.bus.uio.bars import open_bar

    if quiet.kernel is not None and quiet.kernel.driver == VFIO_DRIVER:
        from uvirtio.bus.vfio.looking import registers_of

        with registers_of(sysfs, quiet.locator) as vfio_bar:
            yield vfio_bar
        return

    with ExitStack() as opened:

        @cache
        def bar(number: int) -> Region:
            found = open_bar(sysfs, quiet.locator, number)
            opened.callback(found.close)
            return found.region

        yield bar


@contextmanager
def _window(quiet: Place, sysfs: Sysfs) -> Iterator[Callable[[int], Region]]:
    """The PCI_CFG window, which is aimed in the end at what it was aimed at before."""
    from uvirtio.bus.uio.quiesce import config_region
    from uvirtio.pci.capabilities import walk
    from uvirtio.pci.window import window_bar

    assert quiet.kernel is not None, "a function of this machine"
    sizes = {bar.number: bar.size for bar in quiet.kernel.bars}
    at = None
    for capability in walk(quiet.config, sizes.get)[0]:
        if at is None and capability.structure is not None and capability.structure.type == StructureType.PCI_CFG:
            at = capability.at
    if at is None:
        raise CannotRun(
            "the device has no PCI_CFG capability, so there is no way past its driver; `uvirtio bind` takes it"
        )
    window, config = at, config_region(sysfs, quiet.locator)
    fields = (
        (at + StructureCap.BAR, 1),
        (at + StructureCap.STRUCTURE_OFFSET, 4),
        (at + StructureCap.STRUCTURE_LENGTH, 4),
    )
    before = [(offset, width, quiet.config.read(offset, width)) for offset, width in fields]
    try:
        yield lambda number: window_bar(config, window, number, sizes.get(number, 0))
    finally:
        with suppress(CannotRun):  # a device that went away has nothing to be aimed
            for offset, width, value in before:
                config.write(offset, width, value)


def _believed(seen: Description, quiet: Place, sysfs: Sysfs) -> Description:
    """What the PCI_CFG window shows, unless it contradicts the kernel: then what is known without it, and why."""
    assert quiet.kernel is not None, "a function of this machine"
    driven, now = quiet.kernel.driven, describe(sysfs, quiet.locator).driven
    if seen.status is None or driven is None or now is None or driven.status is None or now.status is None:
        return seen
    # The kernel's driver may have written the status between one look and the other.
    kernel = driven.status if driven.status == seen.status else now.status
    if problems := tuple(in_window(seen.status, seen.num_queues or 0, kernel)):
        quietly = describe_place(quiet)
        return replace(quietly, problems=(*quietly.problems, *problems))
    return seen


def _with_sysfs(
    description: Description, function: PciFunction, notes: list[str], used_by: tuple[str, ...]
) -> Description:
    """Add what the kernel knows about the function."""

    if function.driver in OURS and description.source == "sysfs" and not notes:
        notes.append("the registers were not read")
    if function.physical is not None:
        notes.append(
            f"a virtual function of {function.physical}: ids and BARs, which its configuration space leaves out, are told by the "
            "kernel; it has no INTx, so uvirtio polls it"
        )
    known: dict[str, Any] = {}
    child = function.driven
    if child is not None and description.source == "sysfs":
        negotiated, legacy = child.features or 0, description.interface == "legacy"
        dialects = offered_dialects(description.type, negotiated, legacy=legacy)
        known = {
            "status": child.status,
            "accepted": negotiated,
            "features": feature_rows(description.type, None, negotiated, legacy=legacy),
            "suspend": dialects,
            "suspend_known": bool(dialects),
        }
    return replace(
        description,
        driver=function.driver,
        driver_override=function.driver_override,
        kernel_names=function.kernel_names,
        used_by=used_by,
        iommu_group=function.iommu_group,
        iommu_type=function.iommu_type,
        numa_node=function.numa_node if function.numa_node >= 0 else None,
        interrupt=description.interrupt
        and replace(description.interrupt, linux_irq=function.irq, vectors_in_use=function.msi),
        notes=(*notes, *description.notes),
        **known,
    )
