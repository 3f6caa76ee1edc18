"""What VFIO and iommufd take and give (linux/vfio.h, linux/iommufd.h): numbers of ioctls, structures, flags.

All integers are in the byte order of the machine. A structure of VFIO begins with its size, ``argsz``, and with flags; one
of iommufd with its size.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag

from ...spec.vfio import DeviceFlag, DmaFlag, IrqFlag, IrqSet, RegionFlag

__all__ = [
    "ATTACH_PT",
    "BIND_IOMMUFD",
    "CAPABILITY",
    "DEVICE_INFO",
    "DMA_MAP",
    "DMA_UNMAP",
    "GROUP_STATUS",
    "IOAS_ALLOC",
    "IOAS_IOVA_RANGES",
    "IOAS_MAP",
    "IOAS_UNMAP",
    "IOMMU_INFO",
    "IOVA_RANGE",
    "IRQ_INFO",
    "IRQ_SET",
    "RANGES_HEAD",
    "REGION_INFO",
    "SPARSE_AREA",
    "CapabilityOf",
    "DeviceFlag",
    "DmaFlag",
    "Extension",
    "GroupFlag",
    "IoasFlag",
    "IommuFlag",
    "Iommufd",
    "IrqFlag",
    "IrqIndex",
    "IrqSet",
    "RegionFlag",
    "RegionIndex",
    "Vfio",
]

#: ``_IO(';', n)``: both interfaces share the letter; VFIO counts from 100, iommufd from 0x80.
_LETTER = ord(";") << 8
_VFIO_BASE = _LETTER + 100
_IOMMUFD_BASE = _LETTER + 0x80


class Vfio(IntEnum):
    """Requests to a container, a group or a device."""

    GET_API_VERSION = _VFIO_BASE + 0
    CHECK_EXTENSION = _VFIO_BASE + 1
    SET_IOMMU = _VFIO_BASE + 2
    GROUP_GET_STATUS = _VFIO_BASE + 3
    GROUP_SET_CONTAINER = _VFIO_BASE + 4
    GROUP_GET_DEVICE_FD = _VFIO_BASE + 6
    DEVICE_GET_INFO = _VFIO_BASE + 7
    DEVICE_GET_REGION_INFO = _VFIO_BASE + 8
    DEVICE_GET_IRQ_INFO = _VFIO_BASE + 9
    DEVICE_SET_IRQS = _VFIO_BASE + 10
    DEVICE_RESET = _VFIO_BASE + 11
    #: The same number means something else to a device.
    IOMMU_GET_INFO = _VFIO_BASE + 12
    IOMMU_MAP_DMA = _VFIO_BASE + 13
    IOMMU_UNMAP_DMA = _VFIO_BASE + 14
    DEVICE_BIND_IOMMUFD = _VFIO_BASE + 18
    DEVICE_ATTACH_IOMMUFD_PT = _VFIO_BASE + 19


class Iommufd(IntEnum):
    """Requests to ``/dev/iommu``."""

    IOAS_ALLOC = _IOMMUFD_BASE + 1
    IOAS_IOVA_RANGES = _IOMMUFD_BASE + 4
    IOAS_MAP = _IOMMUFD_BASE + 5
    IOAS_UNMAP = _IOMMUFD_BASE + 6


class Extension(IntEnum):
    """What CHECK_EXTENSION is asked about, and SET_IOMMU sets."""

    TYPE1 = 1
    TYPE1_V2 = 3
    NO_IOMMU = 8


class GroupFlag(IntFlag):
    """Flags of GROUP_GET_STATUS."""

    VIABLE = 1
    CONTAINER_SET = 2


class RegionIndex:
    """Regions of a PCI device: 0 to 5 are its BARs."""

    CONFIG = 7


class IrqIndex(IntEnum):
    """Kinds of interrupts of a PCI device."""

    INTX = 0
    MSI = 1
    MSIX = 2
    ERROR = 3
    REQUEST = 4


class IommuFlag(IntFlag):
    """Flags of IOMMU_GET_INFO."""

    PAGE_SIZES = 1
    CAPABILITIES = 2


class IoasFlag(IntFlag):
    """Flags of IOAS_MAP."""

    FIXED_IOVA = 1
    WRITEABLE = 2
    READABLE = 4


class CapabilityOf:
    """Numbers in the chains of capabilities, by what they hang on."""

    REGION_SPARSE_MMAP = 1
    REGION_MSIX_MAPPABLE = 3
    IOMMU_IOVA_RANGE = 1


#: argsz, flags
GROUP_STATUS = struct.Struct("=II")
#: argsz, flags, regions, interrupts, offset of the first capability, padding
DEVICE_INFO = struct.Struct("=IIIIII")
#: argsz, flags, index, offset of the first capability, size, offset in the device file
REGION_INFO = struct.Struct("=IIIIQQ")
#: argsz, flags, index, count
IRQ_INFO = struct.Struct("=IIII")
#: argsz, flags, index, start, count; the data follows
IRQ_SET = struct.Struct("=IIIII")
#: argsz, flags, page sizes, offset of the first capability, padding
IOMMU_INFO = struct.Struct("=IIQII")
#: argsz, flags, address in the process, bus address, size
DMA_MAP = struct.Struct("=IIQQQ")
#: argsz, flags, bus address, size
DMA_UNMAP = struct.Struct("=IIQQ")
#: argsz, flags, iommufd, the device's id there (out)
BIND_IOMMUFD = struct.Struct("=IIiI")
#: argsz, flags, id of the page table or address space
ATTACH_PT = struct.Struct("=III")
#: Head of a capability: id, version, offset of the next one.
CAPABILITY = struct.Struct("=HHI")
#: Behind the head of the capabilities with a list: how many, padding.
RANGES_HEAD = struct.Struct("=II")
#: First and last bus address.
IOVA_RANGE = struct.Struct("=QQ")
#: Offset and size of a part of a region that can be mapped.
SPARSE_AREA = struct.Struct("=QQ")
#: size, flags, id (out)
IOAS_ALLOC = struct.Struct("=III")
#: size, id, number of ranges, reserved, address of the array, alignment (out)
IOAS_IOVA_RANGES = struct.Struct("=IIIIQQ")
#: size, flags, id, reserved, address in the process, length, bus address
IOAS_MAP = struct.Struct("=IIIIQQQ")
#: size, id, bus address, length
IOAS_UNMAP = struct.Struct("=IIQQ")
