"""Who a function says it is, and where it puts its structures: the rules of 4.1.2 and 4.1.4 that its configuration space shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from ..pci.capabilities import Capability, Structure
from ..pci.header import Identity
from ..spec.features import Feature, Features
from ..spec.ids import MODERN_BASE, TRANSITIONAL, VENDOR
from ..spec.pci import CapabilityId, ExtendedCapabilityId, MsixControl, StructureCap, StructureType
from . import Ruling

__all__ = ["IDS", "Layout", "rulings"]

_REQUIRED = (StructureType.COMMON, StructureType.NOTIFY, StructureType.ISR, StructureType.PCI_CFG)
_ALIGNED = (StructureType.COMMON, StructureType.DEVICE)
#: Subsystem ids of modern devices begin here (4.1.2.1), and MSI-X tables have so many entries (4.1.5.1.2.1).
_SUBSYSTEM_LEAST, _VECTORS = 0x40, range(2, 0x801)


class Layout(NamedTuple):
    """What configuration space shows.

    ``bars``: BAR number -> size in bytes, a sentence where it cannot be reached, None where there is none. ``offered`` and
    ``notify_offsets`` (queue -> queue_notify_off) are None where registers were not read. ``legacy``: there is a legacy
    interface, so that a transitional device's ids are in order. ``extended``: ids of the extended capabilities.
    """

    identity: Identity
    capabilities: tuple[Capability, ...]
    bars: Mapping[int, int | str | None]
    legacy: bool
    extended: tuple[int, ...] = ()
    offered: Features | None = None
    notify_offsets: Mapping[int, int] | None = None

    def structures(self, *kinds: StructureType) -> Iterator[tuple[Capability, Structure]]:
        """The virtio structures of these types, in the order of the list."""
        for capability in self.capabilities:
            if capability.structure is not None and capability.structure.type in kinds:
                yield capability, capability.structure


#: What a rule finds: whether it is broken, and by what; nothing where there is no occasion.
_Found = Iterator[tuple[bool, str]]


def _ids(layout: Layout) -> _Found:
    own = layout.identity
    if own.transitional_id:
        expected = TRANSITIONAL.get(own.device)
        wrong = own.vendor != VENDOR or expected != own.subsystem
        yield (
            wrong,
            f"{own.vendor:04x}:{own.device:04x} is a transitional device of type {expected}, its type is {own.type}",
        )
    else:
        yield own.vendor != VENDOR or own.device == MODERN_BASE, f"ids are {own.vendor:04x}:{own.device:04x}"


def _modern_id(layout: Layout) -> _Found:
    if not layout.legacy:
        own = layout.identity
        yield own.transitional_id, f"PCI device id {own.device:#06x}; there is no legacy interface in BAR 0"


def _revision(layout: Layout) -> _Found:
    if not layout.legacy:
        yield layout.identity.revision < 1, f"revision {layout.identity.revision}"


def _subsystem(layout: Layout) -> _Found:
    if not layout.legacy:
        yield layout.identity.subsystem < _SUBSYSTEM_LEAST, f"subsystem id {layout.identity.subsystem:#06x}"


def _lengths(layout: Layout) -> _Found:
    count = 0
    for capability in layout.capabilities:
        if capability.structure is not None:
            count += 1
            for problem in capability.problems:
                if problem.startswith("cap_len"):
                    yield True, f"capability at {capability.at:#x} ({capability.structure.type_name}): {problem}"
    if count:
        yield False, f"{count} virtio capabilities, each with the length that its type needs"


def _there(layout: Layout) -> _Found:
    found = {kind: [each for each, _ in layout.structures(kind)] for kind in _REQUIRED}
    for kind, capabilities in found.items():
        usable = [each for each in capabilities if not each.problems]
        why = "; ".join(problem for each in capabilities for problem in each.problems)
        if not usable:
            yield True, f"{kind.name}: {why or 'not in the capability list'}"
    yield False, "there are capabilities of " + ", ".join(kind.name for kind in _REQUIRED)


def _alignment(layout: Layout) -> _Found:
    for _, structure in layout.structures(*_ALIGNED):
        yield (
            bool(structure.offset % 4),
            f"{structure.type_name} at offset {structure.offset:#x} of BAR {structure.bar}",
        )


def _notification(layout: Layout) -> _Found:
    """Where queues are notified (4.1.4.4.1): 2 bytes each, 4 where NOTIFICATION_DATA is offered."""
    if layout.offered is None or layout.notify_offsets is None:
        return
    width = 4 if Feature.NOTIFICATION_DATA in layout.offered else 2
    for _, structure in layout.structures(StructureType.NOTIFY):
        step, where = structure.multiplier, f"NOTIFY at {structure.offset:#x} of BAR {structure.bar}"
        yield bool(structure.offset % width), f"{where}: the offset has to be a multiple of {width}"
        yield bool(step and (step & step - 1 or step < width)), f"{where}: notify_off_multiplier is {step}"
        yield structure.length < width, f"{where}: length {structure.length}"
        for queue, number in layout.notify_offsets.items():
            end = number * step + width
            yield (
                end > structure.length,
                (
                    f"{where}: queue {queue} is notified at {end - width:#x}, the structure has {structure.length:#x} bytes"
                ),
            )


def _regions_inside(layout: Layout) -> _Found:
    for capability, structure in layout.structures(StructureType.SHARED_MEMORY):
        size = layout.bars.get(structure.bar)
        end = structure.offset + structure.length
        if isinstance(size, str):
            continue
        yield (
            size is None or end > size,
            (
                f"region {structure.id} at {capability.at:#x}: ends at {end:#x} of BAR {structure.bar}, which has "
                f"{'no' if size is None else f'{size:#x}'} bytes"
            ),
        )


def _regions_differ(layout: Layout) -> _Found:
    numbers = [structure.id for _, structure in layout.structures(StructureType.SHARED_MEMORY)]
    if len(numbers) > 1:
        yield len(set(numbers)) < len(numbers), f"shared memory regions have the ids {', '.join(map(str, numbers))}"


def _vendor(layout: Layout) -> _Found:
    for capability, structure in layout.structures(StructureType.VENDOR):
        yield structure.vendor == VENDOR, f"vendor data at {capability.at:#x} has vendor id {structure.vendor:#06x}"


def _vendor_length(layout: Layout) -> _Found:
    for capability, _ in layout.structures(StructureType.VENDOR):
        length = capability.raw[StructureCap.LENGTH]
        yield bool(length % 4), f"vendor data at {capability.at:#x} has {length} bytes"


def _vectors(layout: Layout) -> _Found:
    for capability in layout.capabilities:
        if capability.id == CapabilityId.MSIX:
            control = int.from_bytes(capability.raw[MsixControl.OFFSET : MsixControl.OFFSET + 2], "little")
            size = (control & MsixControl.SIZE_MASK) + 1
            yield size not in _VECTORS, f"the MSI-X table has {size} {'entry' if size == 1 else 'entries'}"


def _sr_iov(layout: Layout) -> _Found:
    if layout.offered is None:
        return
    capable, says = ExtendedCapabilityId.SR_IOV in layout.extended, Feature.SR_IOV in layout.offered
    there = "an" if capable else "no"
    yield capable != says, f"SR_IOV is {'' if says else 'not '}offered, with {there} SR-IOV capability"


_RULES: dict[str, Callable[[Layout], _Found]] = {
    "P1": _ids, "P2": _modern_id, "P3": _revision, "P4": _subsystem, "P5": _lengths, "P6": _there, "P7": _alignment,
    "P8": _notification, "P9": _regions_inside, "P10": _regions_differ, "P11": _vendor, "P12": _vendor_length,
    "P14": _vectors, "P18": _sr_iov,
}  # fmt: skip

#: The statements that these rules know.
IDS = tuple(_RULES)


def rulings(layout: Layout) -> Iterator[Ruling]:
    """What the layout keeps and breaks; for each rule all that it breaks, or else what it is kept by."""
    for id_, rule in _RULES.items():
        found = list(rule(layout))
        broken = [text for wrong, text in found if wrong]
        if broken:
            yield from (Ruling(id_, True, text) for text in broken)
        elif found:
            yield Ruling(id_, False, found[-1][1])
