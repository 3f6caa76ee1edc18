"""The legacy interface: one header in an I/O BAR 0 (virtio 1.4, 4.1.4.10).

It has 32 feature bits, no FEATURES_OK, no generation, rings of the size that the device says at an address that counts
pages, and device configuration right behind the header (further behind when MSI-X is enabled).
"""

from __future__ import annotations

from collections.abc import Iterable

from ..access.trace import Recorder
from ..access.view import Region, View
from ..bus import Function
from ..errors import DeviceMisbehaved, DriverMisuse, NotVirtio
from ..pci.capabilities import Capability, msix_offset
from ..spec.features import Features
from ..spec.pci import MsixControl
from ..spec.registers import ISR, LEGACY, LEGACY_CONFIG
from ..spec.split import LEGACY_ALIGN
from . import Notifier, OneOwner

__all__ = ["LegacyTransport"]

_DEVICE_FEATURES = LEGACY["device_features"].index
_DRIVER_FEATURES = LEGACY["driver_features"].index
_QUEUE_ADDRESS = LEGACY["queue_address"].index
_QUEUE_SIZE = LEGACY["queue_size"].index
_QUEUE_SELECT = LEGACY["queue_select"].index
_QUEUE_NOTIFY = LEGACY["queue_notify"].index
_STATUS = LEGACY["device_status"].index
_BAR = 0
#: Features that the header has room for.
_FEATURES = 0xFFFF_FFFF


class LegacyTransport:
    """The header of one function. See :class:`~uvirtio.transport.Transport` for the verbs.

    Raises :class:`NotVirtio` when BAR 0 is missing or too small.
    """

    kind = "legacy"
    status_index = _STATUS
    beyond = Features()

    def __init__(self, function: Function, capabilities: list[Capability], recorder: Recorder | None = None) -> None:
        try:
            bar = function.bar(_BAR)
        except DeviceMisbehaved as error:
            raise NotVirtio(
                f"{function.locator}: the legacy interface is in BAR 0, but there is none (virtio 1.4, 4.1.4.10)"
            ) from error
        start = LEGACY_CONFIG[self._msix_enabled(function, capabilities)]
        if bar.length < start:
            raise NotVirtio(
                f"{function.locator}: BAR 0 has {bar.length:#x} bytes; the legacy header needs {start:#x} (virtio 1.4, 4.1.4.10)"
            )
        isr, config = LEGACY["isr_status"], bar.window(start, bar.length - start)
        self._header: Region = bar
        self._config = config
        one = bar.window(isr.offset, isr.width)
        if recorder is not None:
            self._header = recorder.region(bar, "legacy", LEGACY)
            self._config = recorder.region(config, "config", None)
            one = recorder.region(one, "isr", ISR)
        self._isr = OneOwner(one.u8)
        self.status_view: View = self._header.u8
        self.config_length = config.length
        self.config_missing = "" if config.length else f"BAR 0 ends with the legacy header, at {start:#x} (4.1.4.10)"

    @staticmethod
    def _msix_enabled(function: Function, capabilities: list[Capability]) -> bool:
        at = msix_offset(capabilities)
        return at is not None and bool(function.config.u16[at // 2] & MsixControl.ENABLE)

    def take_isr(self) -> View:
        """The view of ISR, to one owner. Raises :class:`DriverMisuse` when it has one already."""
        return self._isr.take()

    def status(self) -> int:
        """Read ``device_status`` once."""
        return self._header.u8[_STATUS]

    def set_status(self, value: int) -> None:
        """Write ``device_status`` once."""
        self._header.u8[_STATUS] = value

    def device_features(self) -> Features:
        """Bits 0 to 31 as offered."""
        return Features(self._header.u32[_DEVICE_FEATURES])

    def driver_features(self) -> Features:
        """Bits 0 to 31 as the device holds them."""
        return Features(self._header.u32[_DRIVER_FEATURES])

    def set_driver_features(self, features: Features) -> None:
        """Write the accepted bits. Raises :class:`DriverMisuse` for bits above 31."""
        if features.mask & ~_FEATURES:
            raise DriverMisuse(f"the legacy interface has 32 feature bits; {features} does not fit")
        self._header.u32[_DRIVER_FEATURES] = features.mask

    def set_up(self, indices: Iterable[int]) -> dict[str, int]:
        """See :class:`Transport`."""
        held = {"driver_features": self.driver_features().mask}
        for index in indices:
            self._select(index)
            held[f"queue_address of queue {index}"] = self._header.u32[_QUEUE_ADDRESS]
        return held

    def generation(self) -> int:
        """0: the legacy interface has none, so a consistent read of the configuration cannot be told (2.5.4)."""
        return 0

    def queue_count(self) -> int:
        """Queues from 0 up to the first that is not available: nothing says how many there are.

        All-ones is no size: some devices read so behind their last queue.
        """
        return next((index for index in range(0x10000) if not 0 < self.queue_maximum(index) < 0xFFFF), 0x10000)

    def _select(self, index: int) -> None:
        self._header.u16[_QUEUE_SELECT] = index

    def queue_maximum(self, index: int) -> int:
        """``queue_size``: the size that the queue has, no other is possible. 0: not available."""
        self._select(index)
        return self._header.u16[_QUEUE_SIZE]

    def queue_enabled(self, index: int) -> bool:
        """Whether the queue has an address."""
        self._select(index)
        return self._header.u32[_QUEUE_ADDRESS] != 0

    def enable_queue(self, index: int, size: int, descriptors: int, driver: int, device: int) -> None:
        """Write the page number of the ring; its parts have to lie as 2.7.2 says, in one piece.

        Raises :class:`DriverMisuse` for an address that is not a page's or beyond 2^44, :class:`DeviceMisbehaved`
        when the device does not keep it.
        """
        page, rest = divmod(descriptors, LEGACY_ALIGN)
        if rest or page >> 32:
            raise DriverMisuse(
                f"queue {index}: a legacy ring starts on a page below 2^44, not at {descriptors:#x} (virtio 1.4, 4.1.5.1.3)"
            )
        self._select(index)
        self._header.u32[_QUEUE_ADDRESS] = page
        if (kept := self._header.u32[_QUEUE_ADDRESS]) != page:
            raise DeviceMisbehaved(f"queue {index}: queue_address reads {kept:#x} after {page:#x} was written")

    def reset_queue(self, index: int) -> None:
        """Raises :class:`DriverMisuse`: one queue alone cannot be reset."""
        raise DriverMisuse(f"queue {index} cannot be reset alone: the legacy interface has no queue_reset")

    def queue_in_reset(self, index: int) -> bool:
        """Never."""
        return False

    def notifier(self, index: int, accepted: Features) -> Notifier:
        """One register for all queues takes the index (4.1.4.10)."""
        narrow = self._header.u16

        def notify(_following: int) -> None:
            narrow[_QUEUE_NOTIFY] = index

        return notify

    def _check(self, offset: int, width: int) -> None:
        if offset < 0 or offset + width > self.config_length:
            raise DeviceMisbehaved(
                f"configuration bytes {offset:#x}-{offset + width:#x} were asked for, but BAR 0 has {self.config_length:#x}"
            )

    def read_config(self, offset: int, width: int) -> int:
        """One read of 1, 2 or 4 bytes. Raises :class:`DeviceMisbehaved` beyond the end of the BAR."""
        self._check(offset, width)
        return self._config.view(width)[offset // width]

    def write_config(self, offset: int, width: int, value: int) -> None:
        """One write of 1, 2 or 4 bytes."""
        self._check(offset, width)
        self._config.view(width)[offset // width] = value
