"""A device file of VFIO: what it says of the device, its regions, its interrupts, its reset."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...errors import CannotRun, DeviceMisbehaved
from ..uio.sysfs import explain
from .ioctls import (
    CAPABILITY,
    DEVICE_INFO,
    IRQ_INFO,
    IRQ_SET,
    RANGES_HEAD,
    REGION_INFO,
    SPARSE_AREA,
    CapabilityOf,
    DeviceFlag,
    IrqFlag,
    IrqIndex,
    IrqSet,
    RegionFlag,
    Vfio,
)
from .kernel import Kernel

__all__ = ["RegionPlace", "VfioDevice", "capabilities"]

#: A chain of capabilities is some hundred bytes long; one that claims more is not believed.
_LONGEST = 1 << 16


class RegionPlace(NamedTuple):
    """A region: where it is in the device file, its size, what of it can be mapped (offset and size)."""

    offset: int
    size: int
    mappable: tuple[tuple[int, int], ...]
    writable: bool


def capabilities(answer: bytes | bytearray, first: int) -> Iterator[tuple[int, int]]:
    """The capabilities of an answer of the kernel: number, and where its data begins."""
    seen: set[int] = set()
    while first and first not in seen and first + CAPABILITY.size <= len(answer):
        seen.add(first)
        number, _version, following = CAPABILITY.unpack_from(answer, first)
        yield number, first + CAPABILITY.size
        first = following


class VfioDevice:
    """An open device file, ``handle``. Raises :class:`CannotRun` where the kernel refuses, :class:`DeviceGone` nowhere."""

    def __init__(self, kernel: Kernel, handle: int, bdf: str) -> None:
        """Takes over ``handle``. Raises :class:`CannotRun` where it is no PCI device's."""
        self.kernel = kernel
        self.handle = handle
        self._bdf = bdf
        info = bytearray(DEVICE_INFO.size)
        struct.pack_into("=I", info, 0, len(info))
        self._ask(Vfio.DEVICE_GET_INFO, info, "what the device is")
        _, self.flags, self.regions, self.irqs, *_ = DEVICE_INFO.unpack(info)
        if not self.flags & DeviceFlag.PCI:
            raise CannotRun(f"{bdf}: VFIO says that this is no PCI device (flags {self.flags:#x})")

    def _ask(self, request: Vfio, argument: bytearray | int, what: str) -> int:
        try:
            return self.kernel.ioctl(self.handle, request, argument)
        except OSError as error:
            raise explain(error, f"asking VFIO for {what} of {self._bdf} ({request.name})") from error

    def region(self, index: int) -> RegionPlace | None:
        """A region, None where the device has none of this number."""
        answer = self._long(Vfio.DEVICE_GET_REGION_INFO, REGION_INFO.size, index)
        _, flags, _, first, size, offset = REGION_INFO.unpack_from(answer)
        if not size:
            return None
        areas: tuple[tuple[int, int], ...] = ((0, size),) if flags & RegionFlag.MMAP else ()
        if flags & RegionFlag.MMAP and flags & RegionFlag.CAPABILITIES:
            for number, at in capabilities(answer, first):
                if number == CapabilityOf.REGION_SPARSE_MMAP:
                    areas = _areas(answer, at)
        return RegionPlace(offset, size, areas, bool(flags & RegionFlag.WRITE))

    def _long(self, request: Vfio, length: int, index: int) -> bytearray:
        """An answer with its capabilities: asked for again when the kernel says that it is longer."""
        for _ in range(2):
            answer = bytearray(length)
            # The index stands behind size and flags.
            struct.pack_into("=III", answer, 0, length, 0, index)
            self._ask(request, answer, f"region {index}")
            wanted = int(struct.unpack_from("=I", answer)[0])
            if wanted <= length:
                break
            if wanted > _LONGEST:
                raise DeviceMisbehaved(f"{self._bdf}: the answer about region {index} would have {wanted} bytes")
            length = wanted
        return answer

    def interrupts(self, kind: IrqIndex) -> tuple[int, IrqFlag]:
        """How many interrupts of a kind there are, and how they behave; 0 where there are none."""
        if kind >= self.irqs:
            return 0, IrqFlag(0)
        answer = bytearray(IRQ_INFO.pack(IRQ_INFO.size, 0, kind, 0))
        try:
            self.kernel.ioctl(self.handle, Vfio.DEVICE_GET_IRQ_INFO, answer)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return 0, IrqFlag(0)
            raise explain(error, f"asking VFIO for the interrupts of {self._bdf}") from error
        _, flags, _, count = IRQ_INFO.unpack(answer)
        return count, IrqFlag(flags)

    def set_events(self, kind: IrqIndex, descriptors: Sequence[int]) -> int:
        """Have the first interrupts of a kind arrive in these eventfds, none: turn the kind off.

        Returns how many are set up: less than asked for where the machine has no more.
        """
        if not descriptors:
            self._set(IrqSet.DATA_NONE | IrqSet.TRIGGER, kind, 0, b"")
            return 0
        wanted = list(descriptors)
        while wanted:
            data = struct.pack(f"={len(wanted)}i", *wanted)
            left = self._set(IrqSet.DATA_EVENTFD | IrqSet.TRIGGER, kind, len(wanted), data)
            if not left:
                break
            # A number is the answer where there are no more than so many.
            wanted = wanted[: min(left, len(wanted) - 1)]
        return len(wanted)

    def unmask(self, kind: IrqIndex) -> None:
        """Let an interrupt through that its delivery has masked."""
        self._set(IrqSet.DATA_NONE | IrqSet.UNMASK, kind, 1, b"")

    def _set(self, flags: IrqSet, kind: IrqIndex, count: int, data: bytes) -> int:
        request = bytearray(IRQ_SET.pack(IRQ_SET.size + len(data), flags, kind, 0, count) + data)
        return self._ask(Vfio.DEVICE_SET_IRQS, request, f"{kind.name} interrupts")

    @property
    def resets(self) -> bool:
        """Whether the kernel can reset the device."""
        return bool(self.flags & DeviceFlag.RESET)

    def reset(self) -> None:
        """Have the kernel reset the device. Raises :class:`CannotRun`."""
        self._ask(Vfio.DEVICE_RESET, 0, "a reset")

    def close(self) -> None:
        """Close the file, upon which the kernel stops the device."""
        self.kernel.close(self.handle)


def _areas(answer: bytearray, at: int) -> tuple[tuple[int, int], ...]:
    count = RANGES_HEAD.unpack_from(answer, at)[0]
    start = at + RANGES_HEAD.size
    inside = min(count, (len(answer) - start) // SPARSE_AREA.size)
    return tuple(
        area
        for number in range(inside)
        if (area := SPARSE_AREA.unpack_from(answer, start + number * SPARSE_AREA.size))[1]
    )
