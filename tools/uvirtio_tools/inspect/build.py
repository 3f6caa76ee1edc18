"""Builds a description out of configuration space and registers, whatever bus they are reached by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from uvirtio.access.clock import Clock
from uvirtio.access.view import Region
from uvirtio.errors import DeviceMisbehaved, DeviceTimeout, UvirtioError
from uvirtio.pci.capabilities import BarLength, Capability, first_usable, walk, why_unusable
from uvirtio.pci.contradictions import in_accepted, in_bars, in_ids, in_registers, with_kernel
from uvirtio.pci.header import Bar as PciBar
from uvirtio.pci.header import Identity, decode_identity, read_bars, read_identity
from uvirtio.spec.devices import device_spec, queue_name
from uvirtio.spec.features import Features
from uvirtio.spec.pci import CapabilityId, Command, Header, MsixControl, StructureCap, StructureType
from uvirtio.spec.registers import COMMON, LEGACY_CONFIG
from uvirtio.spec.status import GONE, Status
from uvirtio.spec.virtqueues import impossible_size
from uvirtio.transport.peek import QueueRegisters, Registers, peek_legacy, peek_modern

from .configuration import read_configuration
from .findings import feature_rows, offered_dialects
from .model import Bar, CapabilityEntry, Description, Interrupt, QueueRow, Ring
from .pciids import device_name
from .rulings import broken_rules
from .vectors import vector_rows

if TYPE_CHECKING:
    from uvirtio.bus.uio.discovery import PciFunction
    from uvirtio.queue import QueueState


__all__ = ["Place", "describe_place", "ring_of"]

_CAPABILITY_NAMES = {
    0x01: "Power Management",
    CapabilityId.MSI: "MSI",
    CapabilityId.VENDOR: "Vendor Specific",
    0x0D: "Subsystem Id",
    CapabilityId.PCI_EXPRESS: "PCI Express",
    CapabilityId.MSIX: "MSI-X",
    0x12: "SATA",
    0x13: "Advanced Features",
    0x14: "Enhanced Allocation",
}


#: Structures that lie in a BAR of their own right; PCI_CFG points where the driver lets it.
_IN_A_BAR = (
    StructureType.COMMON,
    StructureType.NOTIFY,
    StructureType.ISR,
    StructureType.DEVICE,
    StructureType.SHARED_MEMORY,
)


@dataclass(frozen=True, slots=True)
class Place:
    """How a function is reached for a look. ``bar`` raises where a BAR cannot be reached.

    ``registers`` False leaves the BARs alone: a kernel driver holds the device. ``kernel`` is what sysfs says of a function
    of this machine; ``raw`` configuration space where it has been read.
    """

    locator: str
    bus: str
    source: str
    config: Region
    bar: Callable[[int], Region]
    clock: Clock
    registers: bool = True
    kernel: PciFunction | None = None
    rings: Mapping[int, QueueState] | None = None
    raw: bytes | None = None

    def lengths(self) -> BarLength:
        """BAR sizes: the kernel's, else asked of each BAR when it is needed."""
        if self.kernel is not None:
            return {bar.number: bar.size for bar in self.kernel.bars}.get

        @cache
        def length(number: int) -> int | str | None:
            try:
                return self.bar(number).length
            except DeviceMisbehaved:
                return None
            except UvirtioError as error:
                return str(error)

        return length


def describe_place(place: Place) -> Description:
    """Look at everything. Raises :class:`~uvirtio.errors.DeviceGone` and :class:`~uvirtio.errors.NotVirtio`.

    What goes wrong behind that is a sentence in ``problems``, and the rest is still told.
    """
    bar_length = place.lengths()
    bars = _with_silent(read_bars(place.config), bar_length)
    identity, problems = _identify(place, bars)
    capabilities, wrong = walk(place.config, bar_length)
    problems += wrong + _overlaps(capabilities)
    problems += [complaint for capability in capabilities for complaint in capability.complaints]
    notes: list[str] = []
    command = place.config.u16[Header.COMMAND // 2]
    spec = device_spec(identity.type)
    description = Description(
        locator=place.locator,
        bus=place.bus,
        source=place.source,
        vendor=identity.vendor,
        device=identity.device,
        subsystem_vendor=identity.subsystem_vendor,
        subsystem=identity.subsystem,
        revision=identity.revision,
        class_code=identity.class_code,
        type=identity.type,
        type_name=identity.type_name,
        title=spec.title,
        name=device_name(identity.device, identity.subsystem),
        section=spec.section,
        interface=_interface(identity, capabilities, place.locator),
        suspend_known=False,
        interrupt=_interrupt(capabilities, identity.interrupt_pin, command),
        bars=tuple(Bar(bar.number, bar.kind, bar.address, _size(bar_length(bar.number))) for bar in bars),
        capabilities=tuple(_capability(capability) for capability in capabilities),
        pci_raw=(_raw(place.config, capabilities) if place.raw is None else place.raw).hex(),
    )
    if place.registers:
        description = _with_registers(description, place, capabilities, command, problems, notes)
        for row in description.features:
            problems += [f"feature {row.bit} {row.name}: {problem}" for problem in row.problems]
        for queue in description.queues:
            problems += [f"queue {queue.index}: {problem}" for problem in queue.problems]
    problems += broken_rules(description, identity, capabilities, bar_length)
    return replace(description, problems=tuple(dict.fromkeys(problems)), notes=tuple(notes))


def _identify(place: Place, bars: list[PciBar]) -> tuple[Identity, list[str]]:
    """Who the function is, and what its sources say against each other."""
    if (kernel := place.kernel) is None:
        identity = read_identity(place.config, place.locator)
        return identity, list(in_ids(identity))
    now = decode_identity(place.config, place.locator)
    identity, problems = with_kernel(now, kernel.identity)
    placed = {bar.number: bar.address for bar in kernel.bars if not bar.io}
    return identity, [*problems, *in_ids(identity), *in_bars(bars, placed)]


def _with_silent(bars: list[PciBar], bar_length: BarLength) -> list[PciBar]:
    """The BARs that are in use, and those of which the bus knows though their registers read 0: nobody has placed them."""
    taken = {bar.number + upper for bar in bars for upper in range(1 + bar.wide)}
    silent = [PciBar(number, False, False, False, 0) for number in range(Header.BARS) if number not in taken]
    return sorted([*bars, *(bar for bar in silent if _size(bar_length(bar.number)))], key=lambda bar: bar.number)


def _size(length: int | str | None) -> int | None:
    return length if isinstance(length, int) else None


def _interface(identity: Identity, capabilities: list[Capability], locator: str) -> str:
    if not identity.transitional_id:
        return "modern"
    common = first_usable(capabilities, StructureType.COMMON, locator, required=False)
    return "transitional" if common is not None else "legacy"


def _raw(config: Region, capabilities: list[Capability]) -> bytes:
    # Reading the window's data is an access to a BAR (4.1.4.9): ISR, say, which loses its bits.
    windows = {
        (entry.at + StructureCap.PCI_CFG_DATA) // 4
        for entry in capabilities
        if entry.structure is not None and entry.structure.type == StructureType.PCI_CFG
    }
    words = (0 if at in windows else config.u32[at] for at in range(min(config.length, Header.SIZE) // 4))
    return b"".join(word.to_bytes(4, "little") for word in words)


def _overlaps(capabilities: list[Capability]) -> list[str]:
    """Capabilities that share bytes of configuration space, and structures that share bytes of a BAR."""
    found = []
    spans = sorted(((entry.at, entry.at + len(entry.raw), entry) for entry in capabilities), key=lambda row: row[0])
    for (_, end, one), (start, _, other) in pairwise(spans):
        if start < end:
            found.append(
                f"the capability at {one.at:#x} is {len(one.raw)} bytes long and reaches into the one at {other.at:#x}"
            )
    placed = [
        (entry.structure.bar, entry.structure.offset, entry.structure.offset + entry.structure.length, entry.structure)
        for entry in capabilities
        if entry.structure is not None and not entry.problems and entry.structure.type in _IN_A_BAR
    ]
    placed.sort(key=lambda row: row[:3])
    for (bar, _, end, first), (other_bar, start, _, second) in pairwise(placed):
        if bar == other_bar and start < end:
            found.append(f"the structures {first.type_name} and {second.type_name} overlap in BAR {bar} at {start:#x}")
    return found


def _interrupt(capabilities: list[Capability], pin: int, command: int) -> Interrupt:
    vectors, enabled, masked = 0, False, False
    for capability in capabilities:
        if capability.id == CapabilityId.MSIX:
            control = int.from_bytes(capability.raw[MsixControl.OFFSET : MsixControl.OFFSET + 2], "little")
            vectors, enabled = (control & MsixControl.SIZE_MASK) + 1, bool(control & MsixControl.ENABLE)
            masked = bool(control & MsixControl.FUNCTION_MASK)
    return Interrupt(pin, vectors, enabled, disabled=bool(command & Command.INTX_DISABLE), msix_masked=masked)


def _capability(capability: Capability) -> CapabilityEntry:
    name = _CAPABILITY_NAMES.get(capability.id, f"capability {capability.id:#04x}")
    detail = ""
    if capability.id == CapabilityId.MSIX:
        raw = capability.raw
        control, table, pending = (
            int.from_bytes(raw[at : at + size], "little") for at, size in ((2, 2), (4, 4), (8, 4))
        )
        detail = (
            f"{(control & MsixControl.SIZE_MASK) + 1} vectors, {'on' if control & MsixControl.ENABLE else 'off'}, "
            f"table BAR {table & 7} + {table & ~7:#x}, pending BAR {pending & 7} + {pending & ~7:#x}"
        )
    structure = capability.structure
    if structure is None:
        return CapabilityEntry(
            capability.at, capability.id, name, detail=detail, raw=capability.raw.hex(), problems=capability.problems
        )
    vendor = structure.type == StructureType.VENDOR
    return CapabilityEntry(
        capability.at,
        capability.id,
        "VirtIO",
        structure.type_name,
        bar=None if vendor else structure.bar,
        structure_id=None if vendor else structure.id,
        offset=None if vendor else structure.offset,
        length=None if vendor else structure.length,
        notify_off_multiplier=structure.multiplier if structure.type == StructureType.NOTIFY else None,
        vendor=structure.vendor if vendor else None,
        raw=capability.raw.hex(),
        problems=capability.problems,
    )


def _with_registers(
    description: Description,
    place: Place,
    capabilities: list[Capability],
    command: int,
    problems: list[str],
    notes: list[str],
) -> Description:
    """Add what the registers say; a register that cannot be reached is a sentence, not the end."""
    legacy = description.interface == "legacy"
    needed = Command.IO if legacy else Command.MEMORY
    if not command & needed and place.source == "registers":
        problems.append(
            f"{'I/O' if legacy else 'memory'} decoding is off in the command register ({command:#06x}), so the registers cannot be "
            "read; a driver turns it on, `uvirtio suspend` too"
        )
        return description
    try:
        if legacy:
            return _legacy(description, place, problems, notes)
        return _modern(description, place, capabilities, problems, notes)
    except UvirtioError as error:
        problems.append(str(error))
        return description


def _modern(
    description: Description, place: Place, capabilities: list[Capability], problems: list[str], notes: list[str]
) -> Description:
    structure = first_usable(capabilities, StructureType.COMMON, place.locator)
    assert structure is not None
    common = place.bar(structure.bar).window(structure.offset, structure.length)
    registers = peek_modern(common)
    description = _registers(description, place, registers, problems, legacy=False)
    if registers.status != GONE:
        vectors = {f"queue_msix_vector of queue {queue.index}": queue.vector for queue in registers.queues}
        vectors["config_msix_vector"] = registers.config_vector
        table = description.interrupt.msix_vectors if description.interrupt is not None else 0
        problems += in_registers(common.length, registers.offered or 0, vectors, table)
        description = replace(
            description, vectors=vector_rows(place.config, place.bar, capabilities, vectors, problems)
        )
    notify = first_usable(capabilities, StructureType.NOTIFY, place.locator, required=False)
    if notify is not None:
        description = replace(
            description,
            queues=tuple(_check_notify(row, notify.multiplier, notify.length) for row in description.queues),
        )
    device = first_usable(capabilities, StructureType.DEVICE, place.locator, required=False)
    spec = device_spec(description.type)
    if device is None:
        if spec.fields and registers.status != GONE:
            problems.append(
                f"a {description.type_name} device has configuration fields, but there is "
                f"{why_unusable(capabilities, StructureType.DEVICE)}"
            )
        return description
    if registers.status == GONE:
        return description
    region = place.bar(device.bar).window(device.offset, device.length)
    at = COMMON["config_generation"].offset
    try:
        configuration = read_configuration(
            region,
            spec,
            lambda: common.read(at, 1),
            place.clock,
            offered=registers.offered,
            status=registers.status,
        )
    except DeviceTimeout as error:  # the rest has been read
        problems.append(f"the configuration was not read: {error}")
        return description
    problems += configuration.problems
    return replace(
        description, config_length=device.length, config=configuration.fields, config_raw=configuration.raw.hex()
    )


def _legacy(description: Description, place: Place, problems: list[str], notes: list[str]) -> Description:
    bar = place.bar(0)
    msix = description.interrupt is not None and description.interrupt.msix_enabled
    registers = peek_legacy(bar, msix=msix)
    description = _registers(description, place, registers, problems, legacy=True)
    start = LEGACY_CONFIG[int(msix)]
    if registers.status == GONE or bar.length <= start:
        return description
    region = bar.window(start, bar.length - start)
    configuration = read_configuration(
        region,
        device_spec(description.type),
        lambda: 0,
        place.clock,
        offered=registers.offered,
        status=registers.status | Status.FEATURES_OK,
    )
    problems += configuration.problems
    notes.append("legacy interface: configuration fields are in the guest's byte order and may be torn (no generation)")
    return replace(
        description, config_length=region.length, config=configuration.fields, config_raw=configuration.raw.hex()
    )


def _registers(
    description: Description, place: Place, registers: Registers, problems: list[str], *, legacy: bool
) -> Description:
    problems += registers.problems
    known, accepted = registers.offered is not None, registers.accepted
    if place.kernel is not None and (child := place.kernel.driven) is not None and child.features is not None:
        problems += in_accepted(accepted, child.features)
        accepted = child.features
    rows = feature_rows(description.type, registers.offered, accepted, legacy=legacy)
    negotiated = Features((accepted if registers.status & Status.FEATURES_OK else registers.offered) or 0)
    queues = tuple(
        _queue(description.type, registers, queue, negotiated, place.rings or {}) for queue in registers.queues
    )
    interrupt = description.interrupt and replace(description.interrupt, config_vector=registers.config_vector)
    return replace(
        description,
        status=registers.status,
        offered=registers.offered,
        accepted=accepted,
        features=rows,
        suspend=offered_dialects(description.type, registers.offered or 0, legacy=legacy),
        suspend_known=known,
        generation=None if legacy or registers.status == GONE else registers.generation,
        num_queues=registers.num_queues if registers.status != GONE else None,
        queues=queues,
        interrupt=interrupt,
    )


def _queue(
    number: int, registers: Registers, queue: QueueRegisters, negotiated: Features, rings: Mapping[int, QueueState]
) -> QueueRow:
    offered = None if registers.offered is None else Features(registers.offered)
    purpose = queue_name(number, queue.index, registers.num_queues, negotiated, offered)
    name, owed = (purpose.name, purpose.answered) if purpose else (None, None)
    first_admin, admins = registers.admin_index, registers.admin_count
    if admins and first_admin <= queue.index < first_admin + admins:
        name, owed = f"adminq{queue.index - first_admin}", True
    wrong = impossible_size(queue.size)
    state = rings.get(queue.index)
    ring = None if state is None else ring_of(state)
    return QueueRow(
        queue.index,
        name,
        queue.size,
        # After the driver has written a size, the register holds that one.
        None if queue.enabled else queue.size,
        queue.enabled,
        queue.vector,
        queue.notify_offset,
        queue.notify_data,
        queue.descriptors,
        queue.driver,
        queue.device,
        owed,
        ring,
        (wrong,) if wrong else (),
    )


def ring_of(state: QueueState) -> Ring:
    """What is shown of the memory of a queue that this process drives."""
    return Ring(
        state.format,
        state.driver_index,
        state.device_index,
        state.seen,
        state.in_flight,
        state.free,
        state.interrupts_suppressed,
        state.notifications_suppressed,
        state.held,
    )


def _check_notify(row: QueueRow, multiplier: int, length: int) -> QueueRow:
    if row.notify_off is None or not row.num:
        return row
    offset = row.notify_off * multiplier
    if offset % 2 or offset + 2 > length:
        problem = (
            f"queue_notify_off {row.notify_off} times {multiplier} gives {offset:#x}, unaligned or beyond the notify "
            f"structure of {length:#x} bytes"
        )
        return replace(row, problems=(*row.problems, problem))
    return row
