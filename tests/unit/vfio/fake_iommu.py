"""The stand-in's containers, groups and iommufd: what maps memory, and its checks."""

from __future__ import annotations

import ctypes
import errno
import struct

from tests.unit.uio.fake import RNG

__all__ = ["FakeIommu"]

_PAGE = 4096


class FakeIommu:
    """Requests to a container, a group and ``/dev/iommu``: each gives its result, below 0 an error number."""

    def __init__(self) -> None:
        self.version = 0
        self.extensions = {1, 3}
        self.viable = True
        self.remaps_interrupts = True
        self.ranges = [(0, 0xFEDF_FFFF), (0xFEF0_0000, (1 << 39) - 1)]
        self.memory_limit = 1 << 40
        self.maps: dict[int, tuple[int, int]] = {}
        self.spaces: list[int] = []
        self.kinds: dict[int, str] = {}
        self.in_container = self.iommu_set = False

    def open_device(self) -> int:
        """The device file out of a group."""
        raise NotImplementedError

    # -- containers and groups -------------------------------------------------------------------------------

    def _container_0(self, _argument: int) -> int:
        return self.version

    def _container_1(self, extension: int) -> int:
        return int(extension in self.extensions)

    def _container_2(self, extension: int) -> int:
        if not self.in_container or self.iommu_set or extension not in self.extensions:
            return -errno.EINVAL
        if not self.remaps_interrupts:
            return -errno.EPERM
        self.iommu_set = True
        return 0

    def _container_12(self, argument: bytearray) -> int:
        if not self.iommu_set:
            return -errno.EINVAL
        size, needed = struct.unpack_from("=I", argument)[0], 24 + 16 + 16 * len(self.ranges)
        if size < 16:
            return -errno.EINVAL
        if size < needed:
            struct.pack_into("=IIQI", argument, 0, needed, 3, 0x40201000, 0)
            return 0
        struct.pack_into("=IIQI", argument, 0, size, 3, 0x40201000, 24)
        struct.pack_into("=HHIII", argument, 24, 1, 1, 0, len(self.ranges), 0)
        for number, window in enumerate(self.ranges):
            struct.pack_into("=QQ", argument, 40 + 16 * number, *window)
        return 0

    def _put(self, address: int, iova: int, size: int) -> int:
        if not size or (address | iova | size) % _PAGE or iova + size > 1 << 64:
            return -errno.EINVAL
        if any(iova < base + length and base < iova + size for base, (_, length) in self.maps.items()):
            return -errno.EEXIST
        if not any(first <= iova and iova + size - 1 <= last for first, last in self.ranges):
            return -errno.EINVAL
        if size + sum(length for _, length in self.maps.values()) > self.memory_limit:
            return -errno.ENOMEM
        self.maps[iova] = (address, size)
        return 0

    def _take(self, iova: int, size: int) -> int:
        inside = [base for base, (_, length) in self.maps.items() if iova <= base and base + length <= iova + size]
        for base in inside:
            del self.maps[base]
        return 0

    def _container_13(self, argument: bytearray) -> int:
        size, flags, address, iova, length = struct.unpack("=IIQQQ", argument)
        if not self.iommu_set or size < 32 or flags & ~3 or not flags:
            return -errno.EINVAL
        return self._put(address, iova, length)

    def _container_14(self, argument: bytearray) -> int:
        size, flags, iova, length = struct.unpack("=IIQQ", argument)
        return -errno.EINVAL if size < 24 or flags else self._take(iova, length)

    def _group_3(self, argument: bytearray) -> int:
        if struct.unpack_from("=I", argument)[0] < 8:
            return -errno.EINVAL
        struct.pack_into("=I", argument, 4, int(self.viable))
        return 0

    def _group_4(self, argument: bytearray) -> int:
        container = struct.unpack("=i", argument)[0]
        if self.kinds.get(container) != "container":
            return -errno.EINVAL
        if not self.viable or self.in_container:
            return -errno.EBUSY if not self.viable else -errno.EINVAL
        self.in_container = True
        return 0

    def _group_6(self, argument: bytearray) -> int:
        if not self.iommu_set:
            return -errno.EINVAL
        return self.open_device() if argument == RNG.encode() + b"\0" else -errno.ENODEV

    # -- iommufd -----------------------------------------------------------------------------------------------

    def _iommufd_1(self, argument: bytearray) -> int:
        size, flags, _ = struct.unpack("=III", argument)
        if size < 12:
            return -errno.EINVAL
        if flags:
            return -errno.EOPNOTSUPP
        self.spaces.append(2 + len(self.spaces))
        struct.pack_into("=I", argument, 8, self.spaces[-1])
        return 0

    def _iommufd_4(self, argument: bytearray) -> int:
        size, space, room, reserved, address, _ = struct.unpack("=IIIIQQ", argument)
        if size < 32 or reserved:
            return -errno.EOPNOTSUPP if reserved else -errno.EINVAL
        if space not in self.spaces:
            return -errno.ENOENT
        array = (ctypes.c_char * (16 * room)).from_address(address) if room else b""
        for number, window in enumerate(self.ranges[:room]):
            struct.pack_into("=QQ", array, 16 * number, *window)  # type: ignore[arg-type]
        struct.pack_into("=I", argument, 8, len(self.ranges))
        struct.pack_into("=Q", argument, 24, _PAGE)
        return -errno.EMSGSIZE if len(self.ranges) > room else 0

    def _iommufd_5(self, argument: bytearray) -> int:
        size, flags, space, reserved, address, length, iova = struct.unpack("=IIIIQQQ", argument)
        if size < 40 or reserved or flags & ~7:
            return -errno.EOPNOTSUPP
        return self._put(address, iova, length) if space in self.spaces else -errno.ENOENT

    def _iommufd_6(self, argument: bytearray) -> int:
        _, space, iova, length = struct.unpack("=IIQQ", argument)
        if space not in self.spaces or iova not in self.maps:
            return -errno.ENOENT
        return self._take(iova, length)
