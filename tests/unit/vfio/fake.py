"""A stand-in for the kernel's VFIO and iommufd: the same structures, the same error numbers, no device behind them.

What the kernel checks is checked here as linux/drivers/vfio and linux/drivers/iommu/iommufd do it: sizes, flags, order of the
calls. Registers are plain memory.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
from pathlib import Path

from tests.unit.uio.fake import COMMON_AT, RNG, FakeMachine
from uvirtio.bus.uio.sysfs import VFIO_DRIVER
from uvirtio.bus.vfio.kernel import Kernel
from uvirtio.spec.pci import Header

__all__ = ["GROUP", "FakeKernel", "VfioMachine"]

GROUP = 9
_BASE = 0x3B64
_IOMMUFD = 0x3B80
_REGION = 40
_PAGE = 4096


class VfioMachine(FakeMachine):
    """A machine with an IOMMU (``group`` of the entropy device; None: without one), and vfio-pci."""

    def __init__(self, root: Path, *, group: int | None = GROUP, own: bool = False, groups: bool = True) -> None:
        """``own``: a character device for each function (CONFIG_VFIO_DEVICE_CDEV), ``groups``: one for each group."""
        super().__init__(root)
        self.own, self.groups = own, groups
        (self.dev / "vfio").mkdir()
        if groups:
            (self.dev / "vfio/vfio").touch()
        if own:
            (self.dev / "iommu").touch()
        self.add()
        if group is not None:
            self.join(RNG, group)

    def join(self, bdf: str, group: int, name: str = "") -> None:
        """Put a function into a group."""
        at = self.sys / f"kernel/iommu_groups/{group}"
        (at / "devices").mkdir(parents=True, exist_ok=True)
        (at / "devices" / bdf).symlink_to(self.function(bdf).resolve())
        (at / "type").write_text("DMA\n")
        if name:
            (at / "name").write_text(name + "\n")
        (self.function(bdf) / "iommu_group").symlink_to(at)

    def no_iommu(self, mode: str) -> None:
        """A kernel with the parameter, ``Y`` or ``N``."""
        at = self.sys / "module/vfio/parameters"
        at.mkdir(parents=True, exist_ok=True)
        (at / "enable_unsafe_noiommu_mode").write_text(mode + "\n")

    def _bind(self, bdf: str, driver: str) -> None:
        at = self.function(bdf)
        if driver == VFIO_DRIVER:
            if not (at / "iommu_group").exists():
                if self.read(self.sys / "module/vfio/parameters/enable_unsafe_noiommu_mode") != "Y":
                    return  # the kernel's probe fails with EINVAL
                self.join(bdf, 0, "vfio-noiommu")
            number = os.path.basename(os.readlink(at / "iommu_group"))
            if self.groups:
                name = self.read(at / "iommu_group/name")
                (self.dev / "vfio" / (f"noiommu-{number}" if name == "vfio-noiommu" else number)).touch()
            if self.own:
                (at / "vfio-dev/vfio0").mkdir(parents=True)
                (self.dev / "vfio/devices").mkdir(exist_ok=True)
                (self.dev / "vfio/devices/vfio0").touch()
        super()._bind(bdf, driver)

    def _unbind(self, bdf: str) -> None:
        was = self.driver(bdf)
        super()._unbind(bdf)
        if was == VFIO_DRIVER:
            for path in (self.dev / "vfio").iterdir():
                if path.name not in ("vfio", "devices"):
                    path.unlink()
            (self.dev / "vfio/devices/vfio0").unlink(missing_ok=True)
            if (self.dev / "vfio/devices").exists():
                (self.dev / "vfio/devices").rmdir()
            own = self.function(bdf) / "vfio-dev"
            if own.exists():
                (own / "vfio0").rmdir()
                own.rmdir()
            if self.read(self.function(bdf) / "iommu_group/name") == "vfio-noiommu":
                (self.function(bdf) / "iommu_group").unlink()


class FakeKernel(Kernel):
    """What it refuses, and what it has, is set by the attributes; what was asked is in ``calls`` and ``maps``."""

    def __init__(self, machine: VfioMachine) -> None:
        self.machine = machine
        self.calls: list[str] = []
        self.maps: dict[int, tuple[int, int]] = {}
        self.version = 0
        self.extensions = (
            {1, 3}
            if machine.read(machine.sys / "module/vfio/parameters/enable_unsafe_noiommu_mode") != "Y"
            else {1, 3, 8}
        )
        self.viable = True
        self.raw_io = True
        self.busy: set[str] = set()
        self.remaps_interrupts = True
        self.ranges = [(0, 0xFEDF_FFFF), (0xFEF0_0000, (1 << 39) - 1)]
        self.memory_limit = 1 << 40
        self.irqs = {0: (1, 0x7), 1: (1, 0x9), 2: (2, 0x9), 4: (1, 0x9)}
        self.vectors_left = 64
        self.resettable = True
        self.sparse: dict[int, list[tuple[int, int]]] = {}
        self.not_mapped: set[int] = set()
        self.events: dict[int, list[int]] = {}
        self.unmasked = 0
        self.resets = 0
        self.platform = True
        self._kinds: dict[int, str] = {}
        self._in_container = self._iommu_set = self._bound = self._attached = False
        self.spaces: list[int] = []

    # -- files -------------------------------------------------------------------------------------------------

    @property
    def open_files(self) -> list[str]:
        """What is open now."""
        return sorted(self._kinds.values())

    def open(self, path: Path) -> int:
        if not path.exists():
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        name = str(path.relative_to(self.machine.dev))
        if name in self.busy:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        if name.startswith("vfio/noiommu-") and not self.raw_io:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        kinds = {"vfio/vfio": "container", "iommu": "iommufd"}
        kind = kinds.get(name, "device" if name.startswith("vfio/devices/") else "group")
        self.calls.append(f"open {name}")
        return self._device() if kind == "device" else self._file(kind)

    def _file(self, kind: str) -> int:
        handle = os.memfd_create(kind)
        self._kinds[handle] = kind
        return handle

    def _device(self) -> int:
        handle = self._file("device")
        os.ftruncate(handle, 9 << _REGION)
        at = self.machine.function(RNG)
        os.pwrite(handle, (at / "config").read_bytes(), 7 << _REGION)
        for bar in (0, 1, 4):
            os.pwrite(handle, (at / f"resource{bar}").read_bytes(), bar << _REGION)
        os.pwrite(handle, struct.pack("=I", 3 if self.platform else 1), (4 << _REGION) + COMMON_AT + 4)
        self.device = handle
        return handle

    def map(self, handle: int, length: int, offset: int) -> mmap.mmap:
        if (offset >> _REGION) in self.not_mapped:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self.calls.append(f"mmap {offset >> _REGION}+{offset & (1 << _REGION) - 1:#x}:{length:#x}")
        return super().map(handle, length, offset)

    def close(self, handle: int) -> None:
        kind = self._kinds.pop(handle)
        self.calls.append(f"close {kind}")
        super().close(handle)
        if kind == "group":
            self._in_container = self._iommu_set = False
        elif kind == "device":
            self._bound = self._attached = False
            self.events.clear()
        elif kind in ("container", "iommufd"):
            self.maps.clear()

    # -- requests ----------------------------------------------------------------------------------------------

    def ioctl(self, handle: int, request: int, argument: bytearray | int = 0) -> int:
        kind = self._kinds[handle]
        name = f"_{kind}_{request - (_IOMMUFD if kind == 'iommufd' else _BASE)}"
        self.calls.append(name[1:])
        number = getattr(self, name, lambda _argument: -errno.ENOTTY)(argument)
        if number < 0:
            raise OSError(-number, os.strerror(-number))
        return int(number)

    def _container_0(self, _argument: int) -> int:
        return self.version

    def _container_1(self, extension: int) -> int:
        return int(extension in self.extensions)

    def _container_2(self, extension: int) -> int:
        if not self._in_container or self._iommu_set or extension not in self.extensions:
            return -errno.EINVAL
        if not self.remaps_interrupts:
            return -errno.EPERM
        self._iommu_set = True
        return 0

    def _container_12(self, argument: bytearray) -> int:
        if not self._iommu_set:
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
        if not self._iommu_set or size < 32 or flags & ~3 or not flags:
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
        if self._kinds.get(container) != "container":
            return -errno.EINVAL
        if not self.viable or self._in_container:
            return -errno.EBUSY if not self.viable else -errno.EINVAL
        self._in_container = True
        return 0

    def _group_6(self, argument: bytearray) -> int:
        if not self._iommu_set:
            return -errno.EINVAL
        return self._device() if argument == RNG.encode() + b"\0" else -errno.ENODEV

    # -- the device --------------------------------------------------------------------------------------------

    def _refuses(self) -> bool:
        return "iommufd" in self._kinds.values() and not self._bound

    def _device_7(self, argument: bytearray) -> int:
        if self._refuses() or struct.unpack_from("=I", argument)[0] < 16:
            return -errno.EINVAL
        struct.pack_into("=III", argument, 4, 2 | int(self.resettable), 9, 5)
        return 0

    def _device_8(self, argument: bytearray) -> int:
        size, _, index = struct.unpack_from("=III", argument)
        if size < 32 or index > 8:
            return -errno.EINVAL
        sizes = {0: 0x20, 1: 0x1000, 4: 0x4000, 7: 256}
        flags = 3 | (4 if index in (1, 4) and index not in self.not_mapped else 0)
        areas, needed = self.sparse.get(index, []), 32
        if areas:
            flags, needed = flags | 8, 32 + 16 + 16 * len(areas)
        struct.pack_into(
            "=IIIIQQ",
            argument,
            0,
            max(size, needed) if size < needed else size,
            flags,
            index,
            0,
            sizes.get(index, 0),
            index << _REGION,
        )
        if areas and size >= needed:
            struct.pack_into("=I", argument, 12, 32)
            struct.pack_into("=HHIII", argument, 32, 1, 1, 0, len(areas), 0)
            for number, area in enumerate(areas):
                struct.pack_into("=QQ", argument, 48 + 16 * number, *area)
        return 0

    def _device_9(self, argument: bytearray) -> int:
        size, _, index = struct.unpack_from("=III", argument)
        if size < 16 or index not in self.irqs:
            return -errno.EINVAL
        count, flags = self.irqs[index]
        struct.pack_into("=IIII", argument, 0, size, flags, index, count)
        return 0

    def _device_10(self, argument: bytearray) -> int:
        size, flags, index, start, count = struct.unpack_from("=IIIII", argument)
        available = self.irqs.get(index, (0, 0))[0]
        if size < 20 or start >= available or start + count > available:
            return -errno.EINVAL
        if flags == 0x21 and not count:
            self.events.pop(index, None)
            return 0
        if flags == 0x11 and index == 0:
            self.unmasked += 1
            return 0 if 0 in self.events else -errno.EINVAL
        if flags != 0x24 or size < 20 + 4 * count:
            return -errno.EINVAL
        if index < 4 and any(kind not in (index, 4) for kind in self.events):
            return -errno.EINVAL  # one kind at a time
        if index == 2 and count > self.vectors_left:
            return self.vectors_left or -errno.ENOSPC
        self.events[index] = list(struct.unpack_from(f"={count}i", argument, 20))
        return 0

    def _device_11(self, _argument: int) -> int:
        self.resets += 1
        return 0 if self.resettable else -errno.EINVAL

    def _device_18(self, argument: bytearray) -> int:
        size, flags, iommufd, _ = struct.unpack("=IIiI", argument)
        if size < 16 or flags or self._kinds.get(iommufd) != "iommufd" or self._bound:
            return -errno.EINVAL
        if not self.viable:
            return -errno.EBUSY
        if not self.remaps_interrupts:
            return -errno.EPERM
        self._bound = True
        struct.pack_into("=I", argument, 12, 1)
        return 0

    def _device_19(self, argument: bytearray) -> int:
        size, flags, space = struct.unpack("=III", argument)
        if size < 12 or flags or not self._bound:
            return -errno.EINVAL
        if space not in self.spaces:
            return -errno.ENOENT
        self._attached = True
        return 0

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

    # -- what tests look at ------------------------------------------------------------------------------------

    @property
    def command(self) -> int:
        """The command register of the device."""
        return int.from_bytes(os.pread(self.device, 2, (7 << _REGION) + Header.COMMAND), "little")
