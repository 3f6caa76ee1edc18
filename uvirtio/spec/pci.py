"""PCI configuration space and the virtio structure capabilities (PCI Local Bus 3.0, chapter 6; virtio 1.4, 4.1.4)."""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "BarFlag",
    "CapabilityId",
    "Command",
    "ConfigPort",
    "ExtendedCapabilityId",
    "Header",
    "MsixControl",
    "MsixEntry",
    "PciStatus",
    "StructureType",
]


class Header:
    """Byte offsets in a type 0 configuration header."""

    VENDOR = 0x00
    DEVICE = 0x02
    COMMAND = 0x04
    STATUS = 0x06
    REVISION = 0x08
    CLASS = 0x08  # 32 bits: class code in the upper three bytes
    HEADER_TYPE = 0x0E
    BAR0 = 0x10
    BARS = 6
    SUBSYSTEM_VENDOR = 0x2C
    SUBSYSTEM = 0x2E
    CAPABILITIES = 0x34
    INTERRUPT_LINE = 0x3C
    INTERRUPT_PIN = 0x3D
    FIRST_CAPABILITY = 0x40
    SIZE = 0x100


class Bridge:
    """Byte offsets in a type 1 configuration header, a PCI-to-PCI bridge's, and the type itself."""

    HEADER_TYPE = 1
    PRIMARY = 0x18
    SECONDARY = 0x19
    SUBORDINATE = 0x1A
    IO_BASE = 0x1C  # bits 15 to 12 of the address in the upper half
    IO_LIMIT = 0x1D
    MEMORY_BASE = 0x20  # bits 31 to 20 of the address in the upper 12 bits
    MEMORY_LIMIT = 0x22
    PREFETCHABLE_BASE = 0x24
    PREFETCHABLE_LIMIT = 0x26
    PREFETCHABLE_BASE_UPPER = 0x28
    PREFETCHABLE_LIMIT_UPPER = 0x2C


class Command:
    """Bits of the command register."""

    IO = 1 << 0
    MEMORY = 1 << 1
    BUS_MASTER = 1 << 2
    INTX_DISABLE = 1 << 10


class PciStatus:
    """Bits of the status register."""

    INTERRUPT = 1 << 3
    CAPABILITIES = 1 << 4


class ConfigPort:
    """The I/O ports of configuration mechanism #1 (PCI Local Bus 3.0, 3.2.2.3.2), and the bit that enables an address."""

    ADDRESS = 0xCF8
    DATA = 0xCFC
    ENABLE = 1 << 31


class BarFlag:
    """Low bits of a base address register."""

    IO = 1
    TYPE = 0b110
    TYPE_64 = 0b100
    PREFETCHABLE = 0b1000


class CapabilityId:
    """Ids of PCI capabilities that matter here."""

    POWER = 0x01
    MSI = 0x05
    VENDOR = 0x09
    PCI_EXPRESS = 0x10
    MSIX = 0x11


class Power:
    """The power management capability (PCI PM 1.2, 3.2): where its control register lies, and bits of that."""

    CONTROL = 0x04
    STATE = 0x0003
    D3HOT = 0x0003
    NO_SOFT_RESET = 0x0008


class Pcie:
    """The PCI Express capability (PCIe 6.0, 7.5.3): device capabilities (32 bits) and control (16), and a function's own reset."""

    CAPABILITIES = 0x04
    CAN_RESET = 1 << 28
    CONTROL = 0x08
    RESET = 0x8000


class ExtendedCapabilityId:
    """Ids of PCI Express extended capabilities that matter here, and where their list begins."""

    FIRST = 0x100
    SR_IOV = 0x10


class MsixControl:
    """Offset and bits of the MSI-X message control register, relative to its capability."""

    OFFSET = 2
    TABLE = 4
    PBA = 8
    SIZE_MASK = 0x07FF
    FUNCTION_MASK = 1 << 14
    ENABLE = 1 << 15
    #: Of the words at ``TABLE`` and ``PBA``; the rest is the offset.
    BAR_MASK = 0x7


class MsixEntry:
    """Bytes of an entry of the MSI-X table, and the bit of its vector control that masks it."""

    SIZE = 16
    MASKED = 1


class StructureType(IntEnum):
    """``cfg_type`` of struct virtio_pci_cap (4.1.4)."""

    COMMON = 1
    NOTIFY = 2
    ISR = 3
    DEVICE = 4
    PCI_CFG = 5
    SHARED_MEMORY = 8
    VENDOR = 9


class StructureCap:
    """Byte offsets in struct virtio_pci_cap and what follows it (4.1.4, 4.1.4.4, 4.1.4.7, 4.1.4.8, 4.1.4.9)."""

    NEXT = 1
    LENGTH = 2
    CFG_TYPE = 3
    BAR = 4
    ID = 5
    STRUCTURE_OFFSET = 8
    STRUCTURE_LENGTH = 12
    SIZE = 16
    NOTIFY_MULTIPLIER = 16
    PCI_CFG_DATA = 16
    OFFSET_HI = 16
    LENGTH_HI = 20
    VENDOR_ID = 4
