"""Faults of P statements: ids, capabilities, structures and vectors (4.1.2, 4.1.4, 4.1.5)."""

from __future__ import annotations

from typing import Any

from ..spec.features import Feature
from ..spec.ids import VENDOR
from ..spec.pci import Header, StructureCap, StructureType
from ..spec.registers import NO_VECTOR
from .common import CommonConfig
from .device import VirtioDevice
from .layout import MSIX_BAR, REGION, REGIONS
from .pci import ConfigSpace

__all__ = ["FAULTS"]

#: PCI device ids of transitional devices (4.1.2.1).
_TRANSITIONAL_BLK, _TRANSITIONAL_RNG, _RNG = 0x1001, 0x1005, 4


class _Changed(ConfigSpace):
    """Configuration space of which some bytes are others."""

    changes: tuple[tuple[int, int, int], ...] = ()

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        for offset, width, value in self.changes:
            self._put(offset, width, value)


class P1(_Changed):
    """An entropy device by its subsystem id, and a block device by its PCI device id."""

    changes = ((Header.DEVICE, 2, _TRANSITIONAL_BLK), (Header.SUBSYSTEM, 2, _RNG))


class P2(_Changed):
    """The ids of a transitional entropy device, without a legacy interface."""

    changes = ((Header.DEVICE, 2, _TRANSITIONAL_RNG), (Header.SUBSYSTEM, 2, _RNG))


class P3(_Changed):
    """Revision 0."""

    changes = ((Header.REVISION, 1, 0),)


class P4(_Changed):
    """A transitional device's subsystem id."""

    changes = ((Header.SUBSYSTEM, 2, _RNG),)


class P5(ConfigSpace):
    """Vendor data whose length counts no vendor id."""

    def _add_vendor_data(self, vendor: int, data: bytes) -> None:
        super()._add_vendor_data(vendor, data)
        self._put(self._last - 1 + StructureCap.LENGTH, 1, 4)


class P6(ConfigSpace):
    """No capability of PCI configuration access in the list."""

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        at = Header.CAPABILITIES
        while (following := self._data[at]) and following != self._window:
            at = following + StructureCap.NEXT
        self._put(at, 1, self._data[self._window + StructureCap.NEXT])


class _Moved(ConfigSpace):
    """A structure that is not where it should be."""

    def _add_structure(self, kind: int, bar: int, offset: int, length: int, extra: bytes, number: int = 0) -> int:
        return super()._add_structure(kind, bar, *self.placed(kind, offset, length, extra), number)

    def placed(self, kind: int, offset: int, length: int, extra: bytes) -> tuple[int, int, bytes]:
        """Where it is instead."""
        return offset, length, extra


class P7(_Moved):
    """The device configuration starts 2 bytes later."""

    def placed(self, kind: int, offset: int, length: int, extra: bytes) -> tuple[int, int, bytes]:
        """See :class:`_Moved`."""
        return (offset + 2, length - 2, extra) if kind == StructureType.DEVICE else (offset, length, extra)


class P8(_Moved):
    """Queues are notified every 6 bytes."""

    def placed(self, kind: int, offset: int, length: int, extra: bytes) -> tuple[int, int, bytes]:
        """See :class:`_Moved`."""
        return offset, length, (6).to_bytes(4, "little") if kind == StructureType.NOTIFY else extra


class P9(ConfigSpace):
    """A shared memory region that ends behind its BAR."""

    def add_region(self, number: int) -> None:
        """See :class:`ConfigSpace`."""
        length = REGION if not number else 0x1000
        self._add_structure(StructureType.SHARED_MEMORY, MSIX_BAR, REGIONS + REGION * number, length, bytes(8), number)


class P10(ConfigSpace):
    """Two shared memory regions of one id."""

    def add_region(self, number: int) -> None:
        """See :class:`ConfigSpace`."""
        self._add_structure(StructureType.SHARED_MEMORY, MSIX_BAR, REGIONS + REGION * number, REGION, bytes(8), 1)


class P11(ConfigSpace):
    """Vendor data of the vendor that stands for virtio."""

    def _add_vendor_data(self, vendor: int, data: bytes) -> None:
        super()._add_vendor_data(VENDOR, data)


class P12(ConfigSpace):
    """Vendor data of 11 bytes."""

    def _add_vendor_data(self, vendor: int, data: bytes) -> None:
        super()._add_vendor_data(vendor, bytes(5))


class P13(ConfigSpace):
    """The window shows what was read through it first."""

    _shown: int | None = None

    def _read_window(self, first: int, width: int) -> int:
        if self._shown is None:
            self._shown = super()._read_window(first, width)
        return self._shown


class P14(ConfigSpace):
    """An MSI-X table of one entry."""

    def _add_msix(self, vectors: int) -> int:
        return super()._add_msix(1)


class P14Vectors(CommonConfig):
    """No vector but that one."""

    def _vector(self, value: int) -> int:
        return NO_VECTOR if value else 0


class P15(CommonConfig):
    """Maps every event to the first vector."""

    def _vector(self, value: int) -> int:
        return NO_VECTOR if super()._vector(value) == NO_VECTOR else 0


class P16(VirtioDevice):
    """Keeps the vector of the configuration over a reset."""

    def reset(self) -> None:
        """See :class:`VirtioDevice`."""
        vector = self.config_vector
        super().reset()
        self.config_vector = vector


class P17(CommonConfig):
    """Takes any vector."""

    def _vector(self, value: int) -> int:
        return value


class P17Next(CommonConfig):
    """Takes the first vector that is not there for one of its own."""

    def _vector(self, value: int) -> int:
        return value if value == self._vectors else super()._vector(value)


class P18(VirtioDevice):
    """Offers SR_IOV, for which it has no capability."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.offered |= 1 << Feature.SR_IOV


#: Name -> what it changes.
FAULTS: dict[str, tuple[type, ...]] = {
    fault.__name__: (fault,)
    for fault in (P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13, P14, P15, P16, P17, P18)
} | {"P14": (P14, P14Vectors), "P17-next": (P17Next,)}
