"""A stand-in for the kernel's VFIO and iommufd: the same structures, the same error numbers, no device behind them.

What the kernel checks is checked here as linux/drivers/vfio and linux/drivers/iommu/iommufd do it: sizes, flags, order of the
calls. Registers are plain memory.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
from pathlib import Path

from tests.unit.uio.fake import COMMON_AT, RNG
from tests.unit.vfio.boxed import VfioMachine
from tests.unit.vfio.fake_iommu import FakeIommu
from uvirtio.bus.vfio.kernel import Kernel
from uvirtio.spec.pci import Header

__all__ = ["FakeKernel"]

_BASE = 0x3B64
_IOMMUFD = 0x3B80
_REGION = 40


class FakeKernel(FakeIommu, Kernel):
    """What it refuses, and what it has, is set by the attributes; what was asked is in ``calls`` and ``maps``."""

    def __init__(self, machine: VfioMachine) -> None:
        super().__init__()
        self.machine = machine
        self.calls: list[str] = []
        if machine.read(machine.sys / "module/vfio/parameters/enable_unsafe_noiommu_mode") == "Y":
            self.extensions.add(8)
        self.raw_io = True
        self.busy: set[str] = set()
        self.irqs = {0: (1, 0x7), 1: (1, 0x9), 2: (2, 0x9), 4: (1, 0x9)}
        self.vectors_left = 64
        self.resettable = True
        self.sparse: dict[int, list[tuple[int, int]]] = {}
        self.not_mapped: set[int] = set()
        self.events: dict[int, list[int]] = {}
        self.unmasked = 0
        self.resets = 0
        self.platform = True
        self._bound = self._attached = False

    # -- files -------------------------------------------------------------------------------------------------

    @property
    def open_files(self) -> list[str]:
        """What is open now."""
        return sorted(self.kinds.values())

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
        return self.open_device() if kind == "device" else self._file(kind)

    def _file(self, kind: str) -> int:
        handle = os.memfd_create(kind)
        self.kinds[handle] = kind
        return handle

    def open_device(self) -> int:
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
        kind = self.kinds.pop(handle)
        self.calls.append(f"close {kind}")
        super().close(handle)
        if kind == "group":
            self.in_container = self.iommu_set = False
        elif kind == "device":
            self._bound = self._attached = False
            self.events.clear()
        elif kind in ("container", "iommufd"):
            self.maps.clear()

    # -- requests ----------------------------------------------------------------------------------------------

    def ioctl(self, handle: int, request: int, argument: bytearray | int = 0) -> int:
        kind = self.kinds[handle]
        name = f"_{kind}_{request - (_IOMMUFD if kind == 'iommufd' else _BASE)}"
        self.calls.append(name[1:])
        number = getattr(self, name, lambda _argument: -errno.ENOTTY)(argument)
        if number < 0:
            raise OSError(-number, os.strerror(-number))
        return int(number)

    # -- the device --------------------------------------------------------------------------------------------

    def _refuses(self) -> bool:
        return "iommufd" in self.kinds.values() and not self._bound

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
        if size < 16 or flags or self.kinds.get(iommufd) != "iommufd" or self._bound:
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

    # -- what tests look at ------------------------------------------------------------------------------------

    @property
    def command(self) -> int:
        """The command register of the device."""
        return int.from_bytes(os.pread(self.device, 2, (7 << _REGION) + Header.COMMAND), "little")
