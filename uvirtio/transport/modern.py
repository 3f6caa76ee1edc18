"""The modern interface: common configuration, notification, ISR and device configuration (virtio 1.4, 4.1.4)."""

from __future__ import annotations

from collections.abc import Iterable

from ..access.fence import ordering_fence
from ..access.trace import Recorder
from ..access.view import Region, View
from ..bus import Function
from ..errors import DeviceMisbehaved
from ..pci.capabilities import Capability, Structure, first_usable, why_unusable
from ..spec.features import Feature, Features
from ..spec.pci import StructureType
from ..spec.registers import COMMON, ISR, RegisterMap, features_beyond
from . import Notifier, OneOwner
from .common_registers import CommonRegisters

__all__ = ["ModernTransport"]

_DEVICE_FEATURE_SELECT = COMMON["device_feature_select"].index
_DEVICE_FEATURE = COMMON["device_feature"].index
_DRIVER_FEATURE_SELECT = COMMON["driver_feature_select"].index
_DRIVER_FEATURE = COMMON["driver_feature"].index
_NUM_QUEUES = COMMON["num_queues"].index
_STATUS = COMMON["device_status"].index
_GENERATION = COMMON["config_generation"].index
_QUEUE_SELECT = COMMON["queue_select"].index
_QUEUE_SIZE = COMMON["queue_size"].index
_QUEUE_VECTOR = COMMON["queue_msix_vector"].index
_CONFIG_VECTOR = COMMON["config_msix_vector"].index
_QUEUE_ENABLE = COMMON["queue_enable"].index
_QUEUE_NOTIFY_OFF = COMMON["queue_notify_off"].index
_QUEUE_NOTIF_CONFIG_DATA = COMMON["queue_notif_config_data"].index
_QUEUE_RESET = COMMON["queue_reset"].index
_AREAS = tuple(
    (COMMON[f"queue_{area}_lo"].index, COMMON[f"queue_{area}_hi"].index) for area in ("desc", "driver", "device")
)


class ModernTransport:
    """The four structures of one function. See :class:`~uvirtio.transport.Transport` for the verbs.

    Raises :class:`NotVirtio` when a structure that the specification requires is missing or unusable.
    """

    kind = "modern"
    status_index = _STATUS

    def __init__(self, function: Function, capabilities: list[Capability], recorder: Recorder | None = None) -> None:
        self._function = function
        self._recorder = recorder
        self._barrier = ordering_fence()

        def required(kind: StructureType) -> Structure:
            structure = first_usable(capabilities, kind, function.locator)
            assert structure is not None
            return structure

        common = required(StructureType.COMMON)
        self._common = self._open(common, "common", COMMON)
        self.beyond = features_beyond(common.length)
        self._notify_structure = required(StructureType.NOTIFY)
        self._notify = self._open(self._notify_structure, "notify", None)
        self._isr = OneOwner(self._open(required(StructureType.ISR), "isr", ISR).u8)
        device = first_usable(capabilities, StructureType.DEVICE, function.locator, required=False)
        self._config = self._open(device, "config", None) if device else None
        self.config_length = self._config.length if self._config else 0
        self.config_missing = "" if self._config else why_unusable(capabilities, StructureType.DEVICE)
        self.status_view: View = self._common.u8
        #: The common configuration, register by register.
        self.registers = CommonRegisters(self._common)

    def _open(self, structure: Structure, space: str, registers: RegisterMap | None) -> Region:
        region = self._function.bar(structure.bar).window(structure.offset, structure.length)
        return self._recorder.region(region, space, registers) if self._recorder else region

    def take_isr(self) -> View:
        """The view of ISR, to one owner. Raises :class:`DriverMisuse` when it has one already."""
        return self._isr.take()

    def status(self) -> int:
        """Read ``device_status`` once."""
        value = self._common.u8[_STATUS]
        if self._barrier is not None:
            self._barrier()  # what the device has done by then is looked at after it
        return value

    def set_status(self, value: int) -> None:
        """Write ``device_status`` once."""
        if self._barrier is not None:
            self._barrier()  # what the device may look at now is there first
        self._common.u8[_STATUS] = value

    def _features(self, select: int, window: int) -> Features:
        mask = 0
        for word in range(4):
            self._common.u32[select] = word
            mask |= self._common.u32[window] << 32 * word
        return Features(mask)

    def device_features(self) -> Features:
        """Bits 0 to 127 as offered, through ``device_feature_select``."""
        return self._features(_DEVICE_FEATURE_SELECT, _DEVICE_FEATURE)

    def driver_features(self) -> Features:
        """Bits 0 to 127 as the device holds them."""
        return self._features(_DRIVER_FEATURE_SELECT, _DRIVER_FEATURE)

    def set_driver_features(self, features: Features) -> None:
        """Write the accepted bits, 32 at a time; the words above bit 63 only where something stands in them."""
        for word in range(4):
            bits = features.mask >> 32 * word & 0xFFFF_FFFF
            if word < 2 or bits:
                self._common.u32[_DRIVER_FEATURE_SELECT] = word
                self._common.u32[_DRIVER_FEATURE] = bits

    def set_up(self, indices: Iterable[int]) -> dict[str, int]:
        """See :class:`Transport`."""
        common = self._common
        held = {"driver_feature": self.driver_features().mask, "config_msix_vector": common.u16[_CONFIG_VECTOR]}
        for index in indices:
            self._select(index)
            held |= {
                f"queue_size of queue {index}": common.u16[_QUEUE_SIZE],
                f"queue_msix_vector of queue {index}": common.u16[_QUEUE_VECTOR],
                f"queue_enable of queue {index}": common.u16[_QUEUE_ENABLE],
            }
            for name, (low, high) in zip(("queue_desc", "queue_driver", "queue_device"), _AREAS, strict=True):
                held[f"{name} of queue {index}"] = common.u32[low] | common.u32[high] << 32
        return held

    def generation(self) -> int:
        """Read ``config_generation`` once."""
        return self._common.u8[_GENERATION]

    def queue_count(self) -> int:
        """Read ``num_queues``."""
        return self._common.u16[_NUM_QUEUES]

    def _select(self, index: int) -> None:
        self._common.u16[_QUEUE_SELECT] = index

    def queue_maximum(self, index: int) -> int:
        """``queue_size`` of a queue: after reset its maximum, later the size in use. 0: not available."""
        self._select(index)
        return self._common.u16[_QUEUE_SIZE]

    def queue_enabled(self, index: int) -> bool:
        """Read ``queue_enable`` of a queue."""
        self._select(index)
        return self._common.u16[_QUEUE_ENABLE] == 1

    def enable_queue(self, index: int, size: int, descriptors: int, driver: int, device: int) -> None:
        """Write size and addresses (64-bit fields as two 32-bit stores, 4.1.3.1), then enable; size and enable are read back.

        A device of another size than its driver would take the ring to be laid out otherwise.
        """
        self._select(index)
        self._common.u16[_QUEUE_SIZE] = size
        if (taken := self._common.u16[_QUEUE_SIZE]) != size:
            raise DeviceMisbehaved(
                f"queue {index}: queue_size reads {taken} after {size} was written, which the device has to take (virtio 1.4, 4.1.4.3)",
                rule="queue_size",
            )
        for (low, high), address in zip(_AREAS, (descriptors, driver, device), strict=True):
            self._common.u32[low] = address & 0xFFFF_FFFF
            self._common.u32[high] = address >> 32
        if self._barrier is not None:
            self._barrier()
        self._common.u16[_QUEUE_ENABLE] = 1
        if (enabled := self._common.u16[_QUEUE_ENABLE]) != 1:
            raise DeviceMisbehaved(f"queue {index}: queue_enable reads {enabled} after 1 was written")

    def reset_queue(self, index: int) -> None:
        """Write 1 to ``queue_reset``."""
        self._select(index)
        self._common.u16[_QUEUE_RESET] = 1

    def queue_in_reset(self, index: int) -> bool:
        """Read ``queue_reset``; the queue must not be considered reset before it reads 0 (2.6.1.2)."""
        self._select(index)
        return self._common.u16[_QUEUE_RESET] != 0

    def notifier(self, index: int, accepted: Features) -> Notifier:
        """Read the queue's notify offset, check it against the structure, and give the store (4.1.4.4, 4.1.5.2).

        Raises :class:`DeviceMisbehaved` for an offset outside of the structure or not aligned.
        """
        self._select(index)
        with_data = Feature.NOTIFICATION_DATA in accepted
        identifier = index
        if Feature.NOTIF_CONFIG_DATA in accepted:
            identifier = self._common.u16[_QUEUE_NOTIF_CONFIG_DATA]
        width = 4 if with_data else 2
        step = self._common.u16[_QUEUE_NOTIFY_OFF]
        offset = step * self._notify_structure.multiplier
        if offset % width or offset + width > self._notify.length:
            raise DeviceMisbehaved(
                f"queue {index}: queue_notify_off {step} times multiplier {self._notify_structure.multiplier} "
                f"gives offset {offset:#x}, which is unaligned or beyond the notify structure of {self._notify.length:#x} bytes"
            )
        at = offset // width
        if with_data:
            wide = self._notify.u32

            def notify_with_data(following: int) -> None:
                wide[at] = identifier | following << 16

            return notify_with_data
        narrow = self._notify.u16

        def notify(_following: int) -> None:
            narrow[at] = identifier

        return notify

    def _config_region(self, offset: int, width: int) -> Region:
        if self._config is None or offset < 0 or offset + width > self._config.length:
            there = self.config_missing or f"the device has {self.config_length:#x}"
            raise DeviceMisbehaved(f"configuration bytes {offset:#x}-{offset + width:#x} were asked for, but {there}")
        return self._config

    def read_config(self, offset: int, width: int) -> int:
        """One read of 1, 2 or 4 bytes. Raises :class:`DeviceMisbehaved` beyond the end of what the device has."""
        return self._config_region(offset, width).view(width)[offset // width]

    def write_config(self, offset: int, width: int, value: int) -> None:
        """One write of 1, 2 or 4 bytes."""
        self._config_region(offset, width).view(width)[offset // width] = value
