"""The common configuration structure as a register file (virtio 1.4, 4.1.4.3).

A register answers to its own width only. Anything else is a fault of the driver, and noted; a read of another width
is answered with the bytes that stand at that place of the little-endian layout, a write of another width is dropped.
"""

from __future__ import annotations

from ..spec.features import Feature
from ..spec.registers import COMMON, NO_VECTOR
from ..spec.status import Status
from ..spec.virtqueues import MAX_SIZE
from .device import VirtioDevice
from .queue import DeviceQueue

__all__ = ["CommonConfig"]

_AREAS = {
    "queue_desc_lo": (0, 0),
    "queue_desc_hi": (0, 32),
    "queue_driver_lo": (1, 0),
    "queue_driver_hi": (1, 32),
    "queue_device_lo": (2, 0),
    "queue_device_hi": (2, 32),
}


class CommonConfig:
    """Reads and writes of the registers of one device. ``vectors``: entries of its MSI-X table."""

    def __init__(self, device: VirtioDevice, vectors: int) -> None:
        self._device = device
        self._vectors = vectors

    def read(self, offset: int, width: int) -> int:
        """One read access."""
        register = COMMON.by_offset.get(offset)
        if register is not None and register.width == width:
            value = self._value(register.name)
            self._device.log.access("read", "common", register.name, offset, width, value)
            return value
        data = bytes(self._byte(offset + i) for i in range(width))
        value = int.from_bytes(data, "little")
        covering = COMMON.at(offset)
        name = covering.name if covering else ""
        self._device.log.access("read", "common", name, offset, width, value)
        self._device.log.fault(
            "common", name, "read of a width that is not the field's (4.1.3.1)", offset, width, value
        )
        return value

    def _byte(self, offset: int) -> int:
        register = COMMON.at(offset)
        if register is None:
            return 0
        return self._value(register.name) >> 8 * (offset - register.offset) & 0xFF

    def write(self, offset: int, width: int, value: int) -> None:
        """One write access."""
        device = self._device
        register = COMMON.by_offset.get(offset)
        if register is None or register.width != width:
            covering = COMMON.at(offset)
            name = covering.name if covering else ""
            device.log.access("write", "common", name, offset, width, value)
            device.log.fault("common", name, "write of a width that is not the field's (4.1.3.1)", offset, width, value)
            return
        device.log.access("write", "common", register.name, offset, width, value)
        if not register.writable:
            device.log.fault("common", register.name, "write to a read-only field", offset, width, value)
        elif register.name == "device_status":
            device.behaviour.write_status(value)
        elif device.behaviour.may_write_config():
            self._store(register.name, value)
        else:
            device.log.event("write ignored while suspended", f"{register.name} = {value:#x}")

    # Reading

    def _queue(self) -> DeviceQueue | None:
        select = self._device.queue_select
        return self._device.queues[select] if select < len(self._device.queues) else None

    def _value(self, name: str) -> int:
        if name.startswith("queue_") and name != "queue_select":
            queue = self._queue()
            return self._queue_value(queue, name) if queue is not None else 0
        device = self._device
        match name:
            case "device_feature_select":
                return device.device_feature_select
            case "device_feature":
                return _word(device.offered, device.device_feature_select)
            case "driver_feature_select":
                return device.driver_feature_select
            case "driver_feature":
                shown = device.accepted if device.behaviour.mirrors_features else device.accepted & device.offered
                return _word(shown, device.driver_feature_select)
            case "config_msix_vector":
                return device.config_vector
            case "num_queues":
                return len(device.queues)
            case "device_status":
                return int(device.status)
            case "config_generation":
                return device.generation
            case "queue_select":
                return device.queue_select
        return 0  # the administration queue's registers: there is none

    def _queue_value(self, queue: DeviceQueue, name: str) -> int:
        if name in _AREAS:
            area, shift = _AREAS[name]
            return queue.addresses[area] >> shift & 0xFFFFFFFF
        match name:
            case "queue_size":
                return queue.size
            case "queue_msix_vector":
                return queue.vector
            case "queue_enable":
                return int(queue.enabled)
            case "queue_notify_off":
                return notify_offset(queue.index)
            case "queue_notif_config_data":
                return notify_data(queue.index) if self._device.negotiated(Feature.NOTIF_CONFIG_DATA) else 0
        return 0  # queue_reset: a reset is done before the next read

    # Writing

    def _store(self, name: str, value: int) -> None:
        device = self._device
        match name:
            case "device_feature_select":
                device.device_feature_select = value
            case "driver_feature_select":
                device.driver_feature_select = value
            case "driver_feature":
                self._accept(value)
            case "config_msix_vector":
                before, device.config_vector = device.config_vector, self._vector(value)
                self._unmapped(before)
            case "queue_select":
                device.queue_select = value
            case _:
                queue = self._queue()
                if queue is None:
                    device.log.fault(
                        "common", name, f"queue_select is {device.queue_select}: no such queue", 0, 0, value
                    )
                else:
                    self._store_queue(queue, name, value)

    def _accept(self, value: int) -> None:
        device = self._device
        if device.status & Status.FEATURES_OK:
            device.log.fault("common", "driver_feature", "features accepted after FEATURES_OK (3.1.1)", 0, 4, value)
            return
        if device.driver_feature_select > 3:
            return
        shift = 32 * device.driver_feature_select
        device.accepted = device.accepted & ~(0xFFFFFFFF << shift) | value << shift

    def _vector(self, value: int) -> int:
        return value if value < self._vectors else NO_VECTOR

    def _unmapped(self, vector: int) -> None:
        """An event was mapped elsewhere: a vector that no other has is out of use."""
        device = self._device
        if vector not in (device.config_vector, *(queue.vector for queue in device.queues)):
            device.interrupts.on_forget(vector)

    def _store_queue(self, queue: DeviceQueue, name: str, value: int) -> None:
        log = self._device.log
        if name == "queue_msix_vector":
            before, queue.vector = queue.vector, self._vector(value)
            self._unmapped(before)
        elif name == "queue_reset":
            self._reset_queue(queue, value)
        elif name == "queue_enable":
            self._enable(queue, value)
        elif queue.enabled:
            log.fault("common", name, f"queue {queue.index} is enabled already (4.1.4.3.2)", 0, 0, value)
        elif name == "queue_size":
            packed = self._device.negotiated(Feature.RING_PACKED)
            if not 0 < value <= min(queue.maximum, MAX_SIZE) or (not packed and value & (value - 1)):
                log.fault("common", name, f"no valid size for a queue of at most {queue.maximum} entries", 0, 2, value)
            else:
                queue.size = value
        elif name in _AREAS:
            area, shift = _AREAS[name]
            queue.addresses[area] = queue.addresses[area] & ~(0xFFFFFFFF << shift) | value << shift

    def _enable(self, queue: DeviceQueue, value: int) -> None:
        device = self._device
        if value != 1:
            device.log.fault(
                "common", "queue_enable", "the driver must not write anything but 1 (4.1.4.3.2)", 0, 2, value
            )
        elif not device.status & Status.FEATURES_OK:
            device.log.fault("common", "queue_enable", "queue enabled before FEATURES_OK (3.1.1)", 0, 2, value)
        elif not queue.enabled:
            problem = queue.misplaced()
            if problem:
                device.log.fault("common", "queue_enable", problem, 0, 2, value)
            queue.enable()

    def _reset_queue(self, queue: DeviceQueue, value: int) -> None:
        device = self._device
        if not device.negotiated(Feature.RING_RESET):
            device.log.fault("common", "queue_reset", "RING_RESET was not negotiated", 0, 2, value)
        elif value == 1:
            queue.reset()
            device.model.queue_reset(queue)
            device.log.event("queue reset", f"queue {queue.index}")
            device.behaviour.progress()


def notify_offset(index: int) -> int:
    """queue_notify_off of a queue: not its index, so that a driver has to read it."""
    return index + 1


def notify_data(index: int) -> int:
    """queue_notif_config_data of a queue: not its index either."""
    return 0x100 + index


def _word(mask: int, select: int) -> int:
    return mask >> 32 * select & 0xFFFFFFFF if select < 4 else 0
