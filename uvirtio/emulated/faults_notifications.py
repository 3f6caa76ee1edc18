"""Faults of N statements: notifications by the device, ISR, the interrupt line (2.7.7, 2.7.10, 4.1.4.5)."""

from __future__ import annotations

from ..spec.pci import Header, PciStatus
from ..spec.registers import IsrBit
from .device import VirtioDevice
from .interrupts import Interrupts
from .pci import ConfigSpace
from .queue import DeviceQueue
from .ring_packed import PackedRing
from .ring_split import SplitRing

__all__ = ["FAULTS"]


class N1(VirtioDevice):
    """Uses buffers, and tells nobody."""

    def notify_queue(self, queue: DeviceQueue) -> None:
        """See :class:`VirtioDevice`."""


class N2(SplitRing):
    """Notifies every buffer."""

    def wants_interrupt(self) -> bool:
        """See :class:`SplitRing`."""
        super().wants_interrupt()
        return True


class N2Packed(PackedRing):
    """Notifies every buffer of a packed ring."""

    def wants_interrupt(self) -> bool:
        """See :class:`PackedRing`."""
        super().wants_interrupt()
        return True


class N3(VirtioDevice):
    """Changes its configuration, and tells nobody."""

    def notify_config(self) -> None:
        """See :class:`VirtioDevice`."""


class N4(VirtioDevice):
    """All configurations are of one generation."""

    def config_read(self) -> bytearray:
        """See :class:`VirtioDevice`."""
        return self.model.config


class N5(ConfigSpace):
    """Interrupt Status is always 0."""

    def read(self, offset: int, width: int) -> int:
        """See :class:`ConfigSpace`."""
        value = super().read(offset, width)
        if offset <= Header.STATUS < offset + width:
            value &= ~(PciStatus.INTERRUPT << 8 * (Header.STATUS - offset))
        return value


class N6(Interrupts):
    """Reading ISR leaves it as it is."""

    def read_isr(self) -> int:
        """See :class:`Interrupts`."""
        return self.isr


class N7(Interrupts):
    """A configuration change sets its bit of ISR and does not interrupt."""

    def config(self, vector: int) -> None:
        """See :class:`Interrupts`."""
        if self.msix:
            super().config(vector)
        else:
            self.isr |= IsrBit.CONFIG


class N7Never(Interrupts):
    """ISR shows everything, and nothing interrupts."""

    def _send(self, bits: int, vector: int) -> None:
        if self.msix:
            super()._send(bits, vector)
        else:
            self.isr |= bits


#: Name -> what it changes.
FAULTS: dict[str, tuple[type, ...]] = {fault.__name__: (fault,) for fault in (N1, N2, N3, N4, N5, N6, N7)} | {
    "N2-packed": (N2Packed,),
    "N7-never": (N7Never,),
}
