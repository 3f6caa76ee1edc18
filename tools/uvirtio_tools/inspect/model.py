"""What there is to say about one device, as data. Tables, JSON documents, snapshots and panels are made from it.

A value that could not be had is None; why stands in ``problems`` or ``notes`` of the description.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from uvirtio.spec.status import describe as describe_status

from ..codec import hexadecimal, octets

__all__ = [
    "Bar",
    "CapabilityEntry",
    "ConfigField",
    "Description",
    "FeatureRow",
    "Interrupt",
    "QueueRow",
    "Ring",
]


@dataclass(frozen=True, slots=True)
class Bar:
    """A base address register; ``size`` in bytes, None where the bus does not say."""

    number: int
    kind: str
    address: int = hexadecimal()
    size: int | None = hexadecimal(None)


@dataclass(frozen=True, slots=True)
class CapabilityEntry:
    """One PCI capability. ``structure`` is the virtio structure's name (``COMMON`` …), None for other capabilities."""

    at: int = hexadecimal()
    id: int = hexadecimal()
    name: str = ""
    structure: str | None = None
    bar: int | None = None
    structure_id: int | None = None
    offset: int | None = hexadecimal(None)
    length: int | None = hexadecimal(None)
    notify_off_multiplier: int | None = None
    vendor: int | None = hexadecimal(None)
    detail: str = ""
    raw: str = octets()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One feature bit that is offered or accepted. None: not known."""

    bit: int
    name: str
    sentence: str
    origin: str
    dialect: str
    offered: bool | None
    accepted: bool | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ring:
    """The memory of a queue that this process drives; see :class:`uvirtio.queue.QueueState`."""

    format: str
    driver_index: int
    device_index: int
    seen: int
    in_flight: int
    free: int
    interrupts_suppressed: bool
    notifications_suppressed: bool
    held: str


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One virtqueue. ``num`` is its size in descriptors, ``num_default`` the largest one where that is known.

    ``desc``, ``avail`` and ``used`` are bus addresses (packed: descriptor, driver and device area).
    """

    index: int
    name: str | None
    num: int
    num_default: int | None
    enabled: bool
    vector: int | None
    notify_off: int | None
    notify_data: int | None = None
    desc: int = hexadecimal(0)
    avail: int = hexadecimal(0)
    used: int = hexadecimal(0)
    owed: bool | None = None
    ring: Ring | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VectorRow:
    """One vector of MSI-X: where its message goes and what is written, and the events that are mapped to it."""

    number: int
    address: int = hexadecimal()
    data: int = hexadecimal()
    masked: bool = True
    pending: bool = False
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigField:
    """One field of the device configuration. ``value`` is None where it was not read; ``text`` is for people.

    ``valid``: the device offers a feature that makes it exist (None: not known).
    """

    name: str
    offset: int
    width: int
    count: int
    unit: str
    writable: bool
    valid: bool | None
    value: int | str | None
    text: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Interrupt:
    """How the function interrupts: pin 0 is none; ``msix_vectors`` 0 where there is no MSI-X."""

    pin: int
    msix_vectors: int
    msix_enabled: bool
    linux_irq: int = 0
    vectors_in_use: tuple[int, ...] = ()
    config_vector: int | None = None
    disabled: bool = False
    #: Whether all vectors are masked at once.
    msix_masked: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """Everything about one device.

    ``source``: where the device's own words come from: ``registers``, ``PCI_CFG window``, or ``sysfs`` (a kernel
    driver holds it and only what the kernel tells is known). ``interface``: ``modern``, ``transitional``, ``legacy``.
    """

    locator: str
    bus: str
    source: str
    revision: int
    vendor: int = hexadecimal()
    device: int = hexadecimal()
    subsystem_vendor: int = hexadecimal()
    subsystem: int = hexadecimal()
    class_code: int = hexadecimal()
    type: int = 0
    type_name: str = ""
    title: str = ""
    name: str = ""
    section: str = ""
    interface: str = "modern"
    suspend: tuple[str, ...] = ()
    suspend_known: bool = True
    driver: str | None = None
    driver_override: str = ""
    kernel_names: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()
    iommu_group: int | None = None
    iommu_type: str = ""
    numa_node: int | None = None
    interrupt: Interrupt | None = None
    bars: tuple[Bar, ...] = ()
    capabilities: tuple[CapabilityEntry, ...] = ()
    status: int | None = hexadecimal(None)
    offered: int | None = hexadecimal(None)
    accepted: int | None = hexadecimal(None)
    features: tuple[FeatureRow, ...] = ()
    generation: int | None = None
    num_queues: int | None = None
    queues: tuple[QueueRow, ...] = ()
    vectors: tuple[VectorRow, ...] = ()
    config_length: int | None = None
    config: tuple[ConfigField, ...] = ()
    config_raw: str = octets()
    pci_raw: str = octets()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def status_text(self) -> str:
        """The status byte in words."""
        return "unknown" if self.status is None else describe_status(self.status)

    @property
    def suspend_text(self) -> str:
        """Which dialects of SUSPEND are offered, in a word or two."""
        if self.suspend:
            return " + ".join(self.suspend)
        return "not offered" if self.suspend_known else f"unknown ({self.driver or 'not readable'})"
