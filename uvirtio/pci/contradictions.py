"""Two sources that contradict each other: which one counts, and the sentence that tells of it.

===========================================  ==================================================================================
what two sources say                         which one counts
===========================================  ==================================================================================
a transitional device's type                 its subsystem id (4.1.2.3); the PCI device id where that is no type
a modern device's type                       its PCI device id (4.1.2), whatever the subsystem id is
modern or transitional                       the PCI device id, whatever revision and subsystem id are
what kind of device it is                    the ids, whatever the class code is
the ids of a function of this machine        those by which the kernel found it, not what configuration space reads now
where a BAR is                               where the kernel has placed it
a register or a vector, and its structure    the structure: what lies beyond its end is not there
features of a device that the kernel drives  those that the kernel has negotiated, not what driver_feature reads
status of a device that the kernel drives    what the kernel reads; a PCI_CFG window that says otherwise is not believed at all
===========================================  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..spec.features import Features
from ..spec.ids import TRANSITIONAL, DeviceType, is_type, type_name
from ..spec.registers import COMMON_WITH, features_beyond
from ..spec.status import Status, describe
from .header import Bar, Identity

__all__ = ["in_accepted", "in_bars", "in_ids", "in_registers", "in_window", "with_kernel"]

#: The base classes (PCI Code and ID Assignment) of the types that have one of their own, and what they are called.
_CLASSES: dict[int, tuple[int, str]] = {
    DeviceType.BLK: (0x01, "mass storage controllers"),
    DeviceType.SCSI: (0x01, "mass storage controllers"),
    DeviceType.NET: (0x02, "network controllers"),
    DeviceType.GPU: (0x03, "display controllers"),
    DeviceType.SOUND: (0x04, "multimedia devices"),
    DeviceType.CONSOLE: (0x07, "communication controllers"),
    DeviceType.INPUT: (0x09, "input devices"),
}
#: What identifies a function, in words.
_IDS = {
    "vendor": "vendor id",
    "device": "PCI device id",
    "subsystem_vendor": "subsystem vendor id",
    "subsystem": "subsystem id",
    "revision": "revision",
    "class_code": "class code",
}
_UNBELIEVED = "; the window has to make the access that it is aimed at (4.1.4.9.1), so nothing that it says is shown"
#: Subsystem ids from here on are not those of transitional devices (4.1.2.1).
_MODERN_SUBSYSTEM = 0x40


def in_ids(identity: Identity) -> Iterator[str]:
    """What the ids of a function say against each other; numbers below 0 are not known."""
    device, subsystem = f"the PCI device id {identity.device:#06x}", f"the subsystem id {identity.subsystem:#x}"
    if identity.transitional_id:
        named = TRANSITIONAL.get(identity.device)
        if not is_type(identity.subsystem):
            instead = "" if named is None else f"; {device} is a {type_name(named)} device's, and that counts"
            yield f"{subsystem} is no device type, though a transitional device's is its type (4.1.2.3){instead}"
        elif named not in (None, identity.subsystem):
            yield (
                f"{device} is a {type_name(named)} device's, {subsystem} a {identity.type_name} device's; "
                "of a transitional device the subsystem id counts (4.1.2.3)"
            )
        if identity.revision > 0:
            yield f"revision {identity.revision} is a modern device's, but {device} a transitional one's, which counts: its revision has to be 0 (4.1.2.3)"
    else:
        if 0 <= identity.subsystem < _MODERN_SUBSYSTEM:
            yield f"{subsystem} is a transitional device's, but {device} a modern one's, which counts: its subsystem id should be 0x40 or higher (4.1.2.1)"
        if identity.revision == 0:
            yield f"revision 0 is a transitional device's, but {device} a modern one's, which counts: its revision should be 1 or higher (4.1.2.1)"
    said = next((words for base, words in _CLASSES.values() if base == identity.class_code >> 16), None)
    if said is not None and identity.type in _CLASSES and said != _CLASSES[identity.type][1]:
        yield f"the class code {identity.class_code:06x} is that of {said}, but the ids say {identity.type_name}, and they count"


def with_kernel(now: Identity, found: Identity) -> tuple[Identity, list[str]]:
    """The identity that counts, of what configuration space reads now and what the kernel found the function by.

    Numbers of ``found`` below 0 are not known. And what the two say against each other.
    """
    known, problems = {}, []
    for name, words in _IDS.items():
        reads, kernel = getattr(now, name), getattr(found, name)
        if kernel >= 0 and reads != kernel:
            known[name] = kernel
            problems.append(
                f"the {words} reads {reads:#06x} in configuration space; the kernel found the function by {kernel:#06x}, and that counts"
            )
    return now._replace(**known), problems


def in_bars(registers: list[Bar], placed: Mapping[int, int]) -> Iterator[str]:
    """Memory BARs whose registers name another address than the one at which the kernel has ``placed`` them."""
    addresses = {bar.number: bar.address for bar in registers}
    for number, address in placed.items():
        if addresses.get(number, 0) != address:
            yield (
                f"BAR {number} reads {addresses.get(number, 0):#x}, but the kernel has placed it at {address:#x}, where its "
                "registers are looked for; a device that was reset behind the kernel's back has lost it"
            )


def in_registers(length: int, offered: int, vectors: Mapping[str, int | None], table: int) -> Iterator[str]:
    """Registers of the common configuration against its structure of ``length`` bytes and against the MSI-X ``table``.

    ``vectors``: what the vector registers hold, by their names; ``table``: entries, 0 without MSI-X.
    """
    beyond = features_beyond(length)
    for bit, name in COMMON_WITH.items():
        if bit in Features(offered) and bit in beyond:
            yield (
                f"{bit.name} is offered, but the COMMON structure of {length:#x} bytes ends before {name} (4.1.4.3), so the "
                "feature cannot be used"
            )
    for name, vector in vectors.items():
        if table and vector is not None and vector >= table:
            yield f"{name} is {vector}, but MSI-X has {table} vectors (4.1.5.1.2)"


def in_accepted(reads: int | None, kernel: int) -> Iterator[str]:
    """What ``driver_feature`` reads of a device that the kernel drives, against the features that it has negotiated."""
    if reads is not None and reads != kernel:
        yield f"driver_feature reads {Features(reads)}, but the kernel has negotiated {Features(kernel)}, and that counts"


def in_window(status: int, num_queues: int, kernel: int) -> Iterator[str]:
    """What the PCI_CFG window says of a device that the kernel drives, against the status that the ``kernel`` reads.

    Of a window that does not get these right nothing is to be believed: it makes accesses of the wrong width or place.
    """
    if status != kernel:
        yield f"status reads {describe(status)} through the PCI_CFG window, but the kernel reads {describe(kernel)}{_UNBELIEVED}"
    elif kernel & Status.DRIVER_OK and not num_queues:
        yield f"num_queues reads 0 through the PCI_CFG window, but the kernel drives the device: {describe(kernel)}{_UNBELIEVED}"
