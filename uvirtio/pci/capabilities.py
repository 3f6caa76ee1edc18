"""The walk of the capability list, and the virtio structures that it names (virtio 1.4, 4.1.4).

Nothing that a device says here is trusted: a pointer can lead into the header, into itself or out of the list; a
structure can lie outside of its BAR. Every capability is kept for display with the problems found; the driver takes
the first usable one of each type, as 4.1.4.1 asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..access.view import Region
from ..errors import NotVirtio
from ..spec.pci import CapabilityId, Header, MsixControl, PciStatus, StructureCap, StructureType
from ..spec.registers import COMMON

__all__ = ["BarLength", "Capability", "Structure", "decode", "first_usable", "msix_offset", "walk", "why_unusable"]

#: The size of a BAR in bytes by its number; None where there is none, and a sentence where it cannot be reached.
BarLength = Callable[[int], int | str | None]

#: What a structure must at least hold, in bytes. Common configuration before virtio 1.2 ends at queue_device.
_MINIMUM = {
    StructureType.COMMON: COMMON["queue_notif_config_data"].offset,
    StructureType.NOTIFY: 2,
    StructureType.ISR: 1,
}
_ALIGNMENT = {StructureType.COMMON: 4, StructureType.NOTIFY: 2, StructureType.DEVICE: 4}


class Structure(NamedTuple):
    """A virtio structure capability: type, BAR, id, offset and length in the BAR (bytes), and what its type adds."""

    type: int
    bar: int
    id: int
    offset: int
    length: int
    #: ``notify_off_multiplier`` (4.1.4.4); 0 elsewhere.
    multiplier: int = 0
    #: ``vendor_id`` of a vendor data capability (4.1.4.8); 0 elsewhere.
    vendor: int = 0

    @property
    def type_name(self) -> str:
        """The specification's name without its prefix: ``COMMON``, ``NOTIFY`` …"""
        try:
            return StructureType(self.type).name
        except ValueError:
            return f"reserved-{self.type}"


@dataclass(frozen=True, slots=True)
class Capability:
    """One capability as it stands in configuration space: where, its id, its raw bytes, and what is wrong with it."""

    at: int
    id: int
    raw: bytes
    structure: Structure | None = None
    problems: tuple[str, ...] = field(default_factory=tuple)

    @property
    def complaints(self) -> list[str]:
        """The problems as sentences that say which capability they are of; only virtio structures have any."""
        name = self.structure.type_name if self.structure is not None else f"id {self.id:#04x}"
        return [f"capability at {self.at:#x} ({name}): {problem}" for problem in self.problems]


def _bytes(config: Region, start: int, length: int) -> bytes:
    first, last = start & ~3, (start + length + 3) & ~3
    words = b"".join(config.u32[at // 4].to_bytes(4, "little") for at in range(first, last, 4))
    return words[start - first : start - first + length]


def _structure(raw: bytes) -> Structure:
    def le(at: int, width: int) -> int:
        return int.from_bytes(raw[at : at + width], "little")

    kind = raw[StructureCap.CFG_TYPE]
    if kind == StructureType.VENDOR:
        return Structure(kind, 0, 0, 0, 0, vendor=le(StructureCap.VENDOR_ID, 2))
    offset, length = le(StructureCap.STRUCTURE_OFFSET, 4), le(StructureCap.STRUCTURE_LENGTH, 4)
    multiplier = 0
    if kind == StructureType.NOTIFY:
        multiplier = le(StructureCap.NOTIFY_MULTIPLIER, 4)
    elif kind == StructureType.SHARED_MEMORY:
        offset |= le(StructureCap.OFFSET_HI, 4) << 32
        length |= le(StructureCap.LENGTH_HI, 4) << 32
    return Structure(kind, raw[StructureCap.BAR], raw[StructureCap.ID], offset, length, multiplier)


def _problems(raw: bytes, structure: Structure, bar_length: BarLength) -> list[str]:
    found: list[str] = []
    kind = structure.type
    needs = StructureCap.SIZE
    if kind in (StructureType.NOTIFY, StructureType.PCI_CFG):
        needs += 4
    elif kind == StructureType.SHARED_MEMORY:
        needs += 8
    elif kind == StructureType.VENDOR:
        needs = StructureCap.VENDOR_ID + 2
    if raw[StructureCap.LENGTH] < needs:
        found.append(f"cap_len is {raw[StructureCap.LENGTH]}, at least {needs} expected")
    if kind not in tuple(StructureType):
        found.append(f"cfg_type {kind} is reserved")
        return found
    if kind == StructureType.VENDOR:
        return found
    if kind == StructureType.PCI_CFG:
        return found  # its bar, offset and length are the driver's to write
    if structure.bar >= Header.BARS:
        found.append(f"bar {structure.bar} is reserved")
        return found
    size = bar_length(structure.bar)
    if size is None:
        found.append(f"BAR {structure.bar} is not there")
    elif isinstance(size, str):
        found.append(f"BAR {structure.bar} cannot be reached: {size}")
    elif structure.offset + structure.length > size:
        found.append(
            f"offset {structure.offset:#x} + length {structure.length:#x} is beyond BAR {structure.bar} of {size:#x} bytes"
        )
    least = _MINIMUM.get(StructureType(kind), 0)
    if structure.length < least:
        found.append(f"length {structure.length:#x} is below the {least:#x} bytes that this structure needs")
    alignment = _ALIGNMENT.get(StructureType(kind), 1)
    if structure.offset % alignment:
        found.append(f"offset {structure.offset:#x} is not a multiple of {alignment}")
    return found


def decode(at: int, raw: bytes, bar_length: BarLength) -> Capability:
    """The capability at ``at`` from its bytes, which the walk has made long enough for what it may be."""
    if raw[0] != CapabilityId.VENDOR:
        return Capability(at, raw[0], raw)
    raw = raw.ljust(StructureCap.LENGTH_HI + 4, b"\0")
    structure = _structure(raw)
    problems = _problems(raw, structure, bar_length)
    return Capability(at, raw[0], raw[: max(raw[StructureCap.LENGTH], 4)], structure, tuple(problems))


def walk(config: Region, bar_length: BarLength) -> tuple[list[Capability], list[str]]:
    """All capabilities in list order, and what is wrong with the list itself.

    Ends after as many capabilities as fit into configuration space, whatever the pointers say.
    """
    found: list[Capability] = []
    problems: list[str] = []
    if not config.u16[Header.STATUS // 2] & PciStatus.CAPABILITIES:
        return found, problems
    end = min(config.length, Header.SIZE)
    at = config.u8[Header.CAPABILITIES] & ~3
    seen: set[int] = set()
    while at:
        if at < Header.FIRST_CAPABILITY or at + 4 > end:
            problems.append(f"the capability list leads to {at:#x}, outside of {Header.FIRST_CAPABILITY:#x}-{end:#x}")
            break
        if at in seen:
            problems.append(f"the capability list comes back to {at:#x}: it is a loop")
            break
        seen.add(at)
        head = _bytes(config, at, 4)
        if head[0] == 0xFF:
            problems.append(f"the capability at {at:#x} reads all-ones")
            break
        length = readable = 4
        if head[0] == CapabilityId.VENDOR:
            # What stands beyond cap_len does not belong to the capability, but reading it is harmless: missing
            # bytes are told as a problem instead of as a crash.
            length = readable = max(head[StructureCap.LENGTH], StructureCap.LENGTH_HI + 4)
            if head[StructureCap.CFG_TYPE] == StructureType.PCI_CFG:
                # Reading the data field is an access to wherever the window was left: ISR, say, which loses its bits.
                readable = StructureCap.PCI_CFG_DATA
        elif head[0] == CapabilityId.MSIX:
            length = readable = 12
        raw = _bytes(config, at, min(readable, end - at)).ljust(length, b"\0")
        found.append(decode(at, raw, bar_length))
        at = head[StructureCap.NEXT] & ~3
    return found, problems


def first_usable(
    capabilities: list[Capability], kind: StructureType, name: str, *, required: bool = True
) -> Structure | None:
    """The first structure of a type without problems. Raises :class:`NotVirtio` when a required one is missing."""
    for capability in _of_type(capabilities, kind):
        if not capability.problems:
            return capability.structure
    if required:
        raise NotVirtio(
            f"{name}: {why_unusable(capabilities, kind)}; the modern interface needs one (virtio 1.4, 4.1.4)"
        )
    return None


def why_unusable(capabilities: list[Capability], kind: StructureType) -> str:
    """Why :func:`first_usable` finds no structure of this type, in words."""
    wrong = [
        f"the one at {capability.at:#x}: {', '.join(capability.problems)}"
        for capability in _of_type(capabilities, kind)
    ]
    return f"no usable {kind.name} structure ({'; '.join(wrong) or 'none of this type is in the capability list'})"


def _of_type(capabilities: list[Capability], kind: StructureType) -> list[Capability]:
    return [entry for entry in capabilities if entry.structure is not None and entry.structure.type == kind]


def msix_offset(capabilities: list[Capability]) -> int | None:
    """Where the MSI-X message control register stands in configuration space, None without MSI-X."""
    for capability in capabilities:
        if capability.id == CapabilityId.MSIX:
            return capability.at + MsixControl.OFFSET
    return None
