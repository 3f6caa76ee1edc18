"""Flags of VFIO (linux/vfio.h), which the kernel's interface and the messages of vfio-user share."""

from __future__ import annotations

from enum import IntFlag

__all__ = ["DeviceFlag", "DmaFlag", "IrqFlag", "IrqSet", "RegionFlag"]


class DeviceFlag(IntFlag):
    """Flags of DEVICE_GET_INFO."""

    RESET = 1
    PCI = 2


class RegionFlag(IntFlag):
    """Flags of DEVICE_GET_REGION_INFO."""

    READ = 1
    WRITE = 2
    MMAP = 4
    CAPABILITIES = 8


class IrqFlag(IntFlag):
    """Flags of DEVICE_GET_IRQ_INFO."""

    EVENTFD = 1
    MASKABLE = 2
    AUTOMASKED = 4
    NO_RESIZE = 8


class IrqSet(IntFlag):
    """Flags of DEVICE_SET_IRQS: what kind of data follows, and what is to be done."""

    DATA_NONE = 1
    DATA_BOOL = 2
    DATA_EVENTFD = 4
    MASK = 8
    UNMASK = 0x10
    TRIGGER = 0x20


class DmaFlag(IntFlag):
    """Flags of a mapping of memory."""

    READ = 1
    WRITE = 2
