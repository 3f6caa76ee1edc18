"""VFIO by groups: a container with type 1 of IOMMU, or with none, the group in it, the device out of the group."""

from __future__ import annotations

import errno
import struct
from pathlib import Path

from ...errors import CannotRun, DeviceBusy, ModuleMissing, PrivilegeMissing
from ..uio.groups import in_the_way, told
from ..uio.sysfs import Sysfs, explain
from .descriptor import VfioDevice, capabilities
from .ioctls import (
    DMA_MAP,
    DMA_UNMAP,
    GROUP_STATUS,
    IOMMU_INFO,
    IOVA_RANGE,
    RANGES_HEAD,
    CapabilityOf,
    DmaFlag,
    Extension,
    GroupFlag,
    IommuFlag,
    Vfio,
)
from .kernel import Kernel
from .mapping import mapping_failed
from .ways_in import OpenFiles, Ranges

__all__ = ["GroupWay", "open_error"]

_API_VERSION = 0
_LONGEST = 1 << 16


def open_error(error: OSError, path: Path, bdf: str) -> CannotRun:
    """The error of this tree for a device file of VFIO that cannot be opened."""
    if error.errno == errno.EBUSY:
        return DeviceBusy(f"{path} is open in another process (a VM, DPDK ...), which has {bdf}; end that first")
    if error.errno in (errno.ENOENT, errno.ENODEV):
        return ModuleMissing(
            f"{path} is not there ({error.strerror}): load VFIO (modprobe vfio-pci), and give a container the device file"
        )
    return explain(error, f"opening {path}")


class GroupWay(OpenFiles):
    """A :class:`~.ways_in.WayIn` through ``/dev/vfio/vfio`` and the group's device file, ``node`` (``vfio/9``)."""

    def __init__(self, kernel: Kernel, sysfs: Sysfs, bdf: str, node: str) -> None:
        """Raises :class:`CannotRun` in its many forms; then everything is closed again."""
        super().__init__(kernel)
        self._sysfs = sysfs
        self._bdf = bdf
        self._node = node
        self.physical = node.startswith("vfio/noiommu-")
        number = node.rpartition("/")[2].removeprefix("noiommu-")
        self.description = f"group {number}, {'no IOMMU' if self.physical else 'type 1'}"
        try:
            self._container = self._open(sysfs.dev / "vfio/vfio")
            kind = self._kind()
            self._group = self._open(sysfs.dev / node)
            self._require_viable()
            self._join(kind)
            self.device = VfioDevice(kernel, self._device(), bdf)
        except BaseException:
            self._close_handles()
            raise

    def _open(self, path: Path) -> int:
        try:
            handle = self._kernel.open(path)
        except OSError as error:
            if self.physical and error.errno == errno.EPERM:
                raise PrivilegeMissing(
                    f"{path} cannot be opened (EPERM): a device without an IOMMU takes CAP_SYS_RAWIO; run it as root"
                ) from error
            raise open_error(error, path, self._bdf) from error
        self._handles.append(handle)
        return handle

    def _kind(self) -> Extension:
        version = self._kernel.ioctl(self._container, Vfio.GET_API_VERSION)
        if version != _API_VERSION:
            raise CannotRun(f"the kernel's VFIO has interface version {version}; this speaks version {_API_VERSION}")
        wanted = (Extension.NO_IOMMU,) if self.physical else (Extension.TYPE1_V2, Extension.TYPE1)
        for kind in wanted:
            if self._kernel.ioctl(self._container, Vfio.CHECK_EXTENSION, kind) > 0:
                return kind
        if self.physical:
            raise CannotRun(
                "the kernel's VFIO offers no no-IOMMU mode (CONFIG_VFIO_NOIOMMU), though there is such a group"
            )
        raise ModuleMissing("the kernel's VFIO offers no IOMMU of type 1: modprobe vfio_iommu_type1")

    def _require_viable(self) -> None:
        status = bytearray(GROUP_STATUS.pack(GROUP_STATUS.size, 0))
        self._ask(self._group, Vfio.GROUP_GET_STATUS, status, "the state of its group")
        flags = GROUP_STATUS.unpack(status)[1]
        if not flags & GroupFlag.VIABLE:
            others = told(in_the_way(self._sysfs, self._bdf)) or "others, whose drivers use DMA"
            raise CannotRun(
                f"{self._bdf} shares its IOMMU {self.description} with {others}: VFIO gives a group away as a whole, so take "
                "these from their drivers too, or give the device a slot or a root port of its own"
            )
        if flags & GroupFlag.CONTAINER_SET:
            raise DeviceBusy(
                f"/dev/{self._node} is in another process's container, which has {self._bdf}; end that first"
            )

    def _join(self, kind: Extension) -> None:
        self._ask(
            self._group,
            Vfio.GROUP_SET_CONTAINER,
            bytearray(struct.pack("=i", self._container)),
            "a container for its group",
        )
        try:
            self._kernel.ioctl(self._container, Vfio.SET_IOMMU, kind)
        except OSError as error:
            if error.errno != errno.EPERM or self.physical:
                raise explain(error, f"setting the IOMMU for {self._bdf}") from error
            raise CannotRun(
                f"the kernel does not give {self._bdf} away (EPERM): its IOMMU does not remap interrupts, so a device could "
                "send any; turn that on (QEMU: -device intel-iommu,intremap=on), or allow it for devices that are trusted: "
                "echo 1 > /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"
            ) from error

    def _device(self) -> int:
        name = bytearray(self._bdf.encode() + b"\0")
        return self._ask(self._group, Vfio.GROUP_GET_DEVICE_FD, name, "its device file")

    def _ask(self, handle: int, request: Vfio, argument: bytearray, what: str) -> int:
        try:
            return self._kernel.ioctl(handle, request, argument)
        except OSError as error:
            raise explain(error, f"asking VFIO for {what} ({self._bdf}, {request.name})") from error

    def ranges(self) -> Ranges:
        """See :class:`~.ways_in.WayIn`."""
        if self.physical:
            return ()
        length = IOMMU_INFO.size
        for _ in range(2):
            answer = bytearray(length)
            struct.pack_into("=I", answer, 0, length)
            self._ask(self._container, Vfio.IOMMU_GET_INFO, answer, "the bus addresses of its IOMMU")
            wanted = int(struct.unpack_from("=I", answer)[0])
            if not length < wanted <= _LONGEST:
                break
            length = wanted
        _, flags, _, first, _ = IOMMU_INFO.unpack_from(answer)
        if flags & IommuFlag.CAPABILITIES:
            for number, at in capabilities(answer, first):
                if number == CapabilityOf.IOMMU_IOVA_RANGE:
                    return _ranges(answer, at)
        return ()

    def map(self, address: int, bus_address: int, size: int) -> None:
        """See :class:`~.ways_in.WayIn`."""
        request = bytearray(DMA_MAP.pack(DMA_MAP.size, DmaFlag.READ | DmaFlag.WRITE, address, bus_address, size))
        try:
            self._kernel.ioctl(self._container, Vfio.IOMMU_MAP_DMA, request)
        except OSError as error:
            raise mapping_failed(error, self._bdf, bus_address, size) from error

    def unmap(self, bus_address: int, size: int) -> None:
        """See :class:`~.ways_in.WayIn`."""
        request = bytearray(DMA_UNMAP.pack(DMA_UNMAP.size, 0, bus_address, size))
        self._ask(self._container, Vfio.IOMMU_UNMAP_DMA, request, "memory back")


def _ranges(answer: bytearray, at: int) -> Ranges:
    count = RANGES_HEAD.unpack_from(answer, at)[0]
    start = at + RANGES_HEAD.size
    inside = min(count, (len(answer) - start) // IOVA_RANGE.size)
    return tuple(IOVA_RANGE.unpack_from(answer, start + number * IOVA_RANGE.size) for number in range(inside))
