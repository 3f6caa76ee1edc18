"""VFIO by the device's own character device, with an address space of iommufd."""

from __future__ import annotations

import errno
import struct
from pathlib import Path

from ...errors import CannotRun, DeviceBusy
from ..uio.groups import in_the_way, told
from ..uio.sysfs import Sysfs, explain
from .descriptor import VfioDevice
from .group import open_error
from .ioctls import (
    ATTACH_PT,
    BIND_IOMMUFD,
    IOAS_ALLOC,
    IOAS_IOVA_RANGES,
    IOAS_MAP,
    IOAS_UNMAP,
    IOVA_RANGE,
    IoasFlag,
    Iommufd,
    Vfio,
)
from .kernel import Kernel
from .mapping import mapping_failed
from .ways_in import OpenFiles, Ranges

__all__ = ["IommufdWay"]

#: Stretches that are asked for at first, and more than any IOMMU has.
_RANGES, _MOST_RANGES = 32, 1024


class IommufdWay(OpenFiles):
    """A :class:`~.ways_in.WayIn` through ``/dev/iommu`` and the device's own file, ``node`` (``vfio/devices/vfio0``)."""

    physical = False

    def __init__(self, kernel: Kernel, sysfs: Sysfs, bdf: str, node: str) -> None:
        """Raises :class:`CannotRun` in its many forms; then everything is closed again."""
        super().__init__(kernel)
        self._sysfs = sysfs
        self._bdf = bdf
        self.description = f"{node.rpartition('/')[2]}, iommufd"
        try:
            self._iommu = self._open(sysfs.dev / "iommu")
            handle = self._open(sysfs.dev / node)
            # Until it is bound the kernel answers nothing about it, until an address space is attached it reaches no memory.
            self._bind(handle)
            self._space = self._allocate()
            self._attach(handle)
            self.device = VfioDevice(kernel, handle, bdf)
            self._handles.remove(handle)
        except BaseException:
            self._close_handles()
            raise

    def _open(self, path: Path) -> int:
        try:
            handle = self._kernel.open(path)
        except OSError as error:
            raise open_error(error, path, self._bdf) from error
        self._handles.append(handle)
        return handle

    def _bind(self, handle: int) -> None:
        request = bytearray(BIND_IOMMUFD.pack(BIND_IOMMUFD.size, 0, self._iommu, 0))
        try:
            self._kernel.ioctl(handle, Vfio.DEVICE_BIND_IOMMUFD, request)
        except OSError as error:
            others = told(in_the_way(self._sysfs, self._bdf))
            if error.errno == errno.EBUSY:
                raise DeviceBusy(
                    f"{self._bdf} is not given away (EBUSY): another process has it or something of its IOMMU group"
                    + (f", or these drivers are in the way: {others}" if others else "")
                ) from error
            if error.errno == errno.EPERM:
                raise CannotRun(
                    f"the kernel does not give {self._bdf} away (EPERM): its IOMMU does not remap interrupts, so a device could "
                    "send any; turn that on (QEMU: -device intel-iommu,intremap=on), or allow it for devices that are trusted: "
                    "echo 1 > /sys/module/iommufd/parameters/allow_unsafe_interrupts"
                ) from error
            raise explain(error, f"binding {self._bdf} to iommufd") from error

    def _allocate(self) -> int:
        request = bytearray(IOAS_ALLOC.pack(IOAS_ALLOC.size, 0, 0))
        self._ask(self._iommu, Iommufd.IOAS_ALLOC, request, "an address space")
        return int(IOAS_ALLOC.unpack(request)[2])

    def _attach(self, handle: int) -> None:
        request = bytearray(ATTACH_PT.pack(ATTACH_PT.size, 0, self._space))
        self._ask(handle, Vfio.DEVICE_ATTACH_IOMMUFD_PT, request, "its address space")

    def _ask(self, handle: int, request: Vfio | Iommufd, argument: bytearray, what: str) -> None:
        try:
            self._kernel.ioctl(handle, request, argument)
        except OSError as error:
            raise explain(error, f"asking iommufd for {what} ({self._bdf}, {request.name})") from error

    def ranges(self) -> Ranges:
        """See :class:`~.ways_in.WayIn`."""
        import ctypes

        count = _RANGES
        for _ in range(2):
            array = bytearray(count * IOVA_RANGE.size)
            address = ctypes.addressof(ctypes.c_char.from_buffer(array))
            request = bytearray(IOAS_IOVA_RANGES.pack(IOAS_IOVA_RANGES.size, self._space, count, 0, address, 0))
            try:
                self._kernel.ioctl(self._iommu, Iommufd.IOAS_IOVA_RANGES, request)
            except OSError as error:
                if error.errno != errno.EMSGSIZE:
                    raise explain(error, f"asking iommufd for the bus addresses of {self._bdf}") from error
            found = int(struct.unpack_from("=III", request)[2])
            if found <= count:
                return tuple(IOVA_RANGE.iter_unpack(bytes(array[: found * IOVA_RANGE.size])))
            count = min(found, _MOST_RANGES)
        return ()

    def map(self, address: int, bus_address: int, size: int) -> None:
        """See :class:`~.ways_in.WayIn`."""
        flags = IoasFlag.FIXED_IOVA | IoasFlag.READABLE | IoasFlag.WRITEABLE
        request = bytearray(IOAS_MAP.pack(IOAS_MAP.size, flags, self._space, 0, address, size, bus_address))
        try:
            self._kernel.ioctl(self._iommu, Iommufd.IOAS_MAP, request)
        except OSError as error:
            raise mapping_failed(error, self._bdf, bus_address, size) from error

    def unmap(self, bus_address: int, size: int) -> None:
        """See :class:`~.ways_in.WayIn`."""
        request = bytearray(IOAS_UNMAP.pack(IOAS_UNMAP.size, self._space, bus_address, size))
        self._ask(self._iommu, Iommufd.IOAS_UNMAP, request, "memory back")
