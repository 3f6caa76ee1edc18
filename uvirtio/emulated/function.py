"""The PCI function: one virtio device behind configuration space and BARs. What both ways to reach it work on."""

from __future__ import annotations

from ..spec.devices import Field
from ..spec.features import Feature
from ..spec.pci import StructureType
from .common import notify_data, notify_offset
from .layout import BARS, MSIX_BAR, NOTIFY_MULTIPLIER, PBA, REGIONS, STRUCTURE_BAR, STRUCTURES
from .log import AccessLog
from .memory import GatedMemory, GuestMemory
from .messages import ENTRY
from .options import Options
from .seams import DeviceClock

__all__ = ["EmulatedFunction"]


class EmulatedFunction:
    """A virtio device as a PCI function, made from :class:`Options`.

    ``config_read/config_write(offset, width, ...)`` and ``bar_read/bar_write(bar, offset, width, ...)`` are the
    guest's accesses; ``interrupts.on_level`` and messages of MSI-X (``table``) go the other way.
    """

    def __init__(self, options: Options, clock: DeviceClock, memory: GuestMemory, log: AccessLog) -> None:
        model, parts = options.make_model(), options.parts
        self.options = options
        self.log = log
        self.vectors = model.queue_count + 1
        gated = GatedMemory(memory, lambda: self.pci.bus_master)
        self.interrupts = parts.interrupts(log, both=options.both_isr)
        self.table = parts.table(self.vectors, gated, log)
        interrupts = self.interrupts
        interrupts.on_message, interrupts.on_forget = self.table.send, self.table.forget
        interrupts.on_reset = self.table.pending.clear
        self.pci = parts.space(
            model,
            self.vectors,
            self.interrupts,
            self.bar_read,
            self.bar_write,
            pin=options.intx,
        )
        for number in range(options.regions):
            self.pci.add_region(number)
        if options.vendor_data:
            self.pci.add_vendor_data()
        self.pci.on_control = self.table.control
        self.device = parts.device(model, options, clock, gated, log, self.interrupts)
        self.common = parts.common(self.device, self.vectors)

    def reset(self) -> None:
        """A function-level reset: the device, and configuration space."""
        self.device.reset()
        self.table.reset()
        self.pci.reset()

    def abandon(self) -> None:
        """Stop without a trace: a device that was saved goes on elsewhere, and nobody sees anything of this one any more."""
        self.interrupts.on_level = lambda asserted: None
        self.interrupts.on_message = lambda vector: None
        self.pci.on_command = lambda: None
        for queue in self.device.queues:
            queue.drop()
        self.device.behaviour.reset()
        self.device.model.close()

    def close(self) -> None:
        """Stop everything and release what the type holds."""
        self.device.reset()
        self.device.model.close()

    # Configuration space

    def config_read(self, offset: int, width: int) -> int:
        """One read of configuration space."""
        value = self.pci.read(offset, width)
        self.log.access("read", "pci", f"+{offset:#x}", offset, width, value)
        return value

    def config_write(self, offset: int, width: int, value: int) -> None:
        """One write to configuration space."""
        self.log.access("write", "pci", f"+{offset:#x}", offset, width, value)
        self.pci.write(offset, width, value)

    # BARs

    def bar_read(self, bar: int, offset: int, width: int) -> int:
        """One read of a BAR; all-ones where there is nothing."""
        if width not in (1, 2, 4) or offset % width or offset + width > BARS.get(bar, 0):
            self.log.fault(f"bar{bar}", "", "unaligned read, or one outside of the BAR", offset, width)
            return (1 << 8 * width) - 1
        if bar == MSIX_BAR:
            return self._table_read(offset, width)
        kind, inside = _structure(offset)
        if kind is StructureType.COMMON:
            return self.common.read(inside, width)
        if kind is StructureType.ISR:
            return self._isr_read(inside, width)
        if kind is StructureType.DEVICE:
            return self._device_read(inside, width)
        self.log.fault("notify", "", "read of the notification area", inside, width)
        return 0

    def bar_write(self, bar: int, offset: int, width: int, value: int) -> None:
        """One write to a BAR."""
        if width not in (1, 2, 4) or offset % width or offset + width > BARS.get(bar, 0):
            self.log.fault(f"bar{bar}", "", "unaligned write, or one outside of the BAR", offset, width, value)
            return
        if bar == MSIX_BAR:
            self._table_write(offset, width, value)
            return
        kind, inside = _structure(offset)
        if kind is StructureType.COMMON:
            self.common.write(inside, width, value)
        elif kind is StructureType.NOTIFY:
            self._notify(inside, width, value)
        elif kind is StructureType.DEVICE:
            self._device_write(inside, width, value)
        else:
            self.log.fault("isr", "isr_status", "write to ISR status", inside, width, value)

    # ISR status (4.1.4.5)

    def _isr_read(self, offset: int, width: int) -> int:
        if offset:
            self.log.fault("isr", "", "read beyond ISR status", offset, width)
            return 0
        value = self.interrupts.read_isr()
        self.log.access("read", "isr", "isr_status", offset, width, value)
        if width != 1:
            self.log.fault("isr", "isr_status", "read of a width that is not the field's (4.1.3.1)", 0, width, value)
        return value

    # Notifications (4.1.5.2)

    def _notify(self, offset: int, width: int, value: int) -> None:
        device = self.device
        self.log.access("write", "notify", "queue_notify", offset, width, value)
        expected = 4 if device.negotiated(Feature.NOTIFICATION_DATA) else 2
        if width != expected:
            self.log.fault("notify", "queue_notify", f"notification of {8 * width} bits instead of {8 * expected}")
        index = value & 0xFFFF
        if device.negotiated(Feature.NOTIF_CONFIG_DATA):
            named = next((q.index for q in device.queues if notify_data(q.index) == index), 0xFFFF)
        else:
            named = index
        placed = offset // NOTIFY_MULTIPLIER - notify_offset(0)
        if placed != named or offset % NOTIFY_MULTIPLIER:
            self.log.fault("notify", "queue_notify", f"value {index:#x} at the address of queue {placed}", offset)
            return
        if width == 4 and expected == 4 and named < len(device.queues):
            with device.guarded():
                device.queues[named].check_notification(value >> 16)
        device.kicked(named)

    # Device configuration (4.1.4.6)

    def _field(self, offset: int, width: int) -> tuple[Field | None, str]:
        """The field at an offset, and what is wrong with an access of that width to it (4.1.3.1)."""
        for field in self.device.model.spec().fields:
            if field.offset <= offset < field.offset + field.size:
                expected = min(field.width, 4)  # 64-bit fields are two of 32 bits
                if field.kind != "bytes" and width != expected:
                    return field, f"access of {width} bytes to a field of {expected}"
                if field.features and not any(self.device.offered >> bit & 1 for bit in field.features):
                    return field, "a field that no offered feature makes valid (2.5.1)"
                return field, ""
        return None, ""

    def _device_read(self, offset: int, width: int) -> int:
        value = self.device.read_config(offset, width)
        field, wrong = self._field(offset, width)
        name = field.name if field is not None else ""
        self.log.access("read", "device", name, offset, width, value)
        if wrong:
            self.log.fault("device", name, wrong, offset, width, value)
        return value

    def _device_write(self, offset: int, width: int, value: int) -> None:
        device = self.device
        field, wrong = self._field(offset, width)
        name = field.name if field is not None else ""
        self.log.access("write", "device", name, offset, width, value)
        if wrong or field is None or not field.writable:
            self.log.fault("device", name, wrong or "write to a field that is not writable", offset, width, value)
        elif device.behaviour.may_write_config():
            device.model.config[offset : offset + width] = value.to_bytes(width, "little")
            device.model.config_written(field)
        else:
            self.log.event("write ignored while suspended", f"{name} = {value:#x}")

    # The MSI-X table and its pending bits, for a bus that does not keep them by itself

    def _table_read(self, offset: int, width: int) -> int:
        if offset < PBA:
            return self.table.read(offset, width)
        # Shared memory regions lie behind them, and read as zeros.
        return self.table.read_pending(offset - PBA, width) if offset < REGIONS else 0

    def _table_write(self, offset: int, width: int, value: int) -> None:
        if offset < ENTRY * self.vectors:
            self.table.write(offset, width, value)


def _structure(offset: int) -> tuple[StructureType, int]:
    for kind, (start, length) in STRUCTURES.items():
        if start <= offset < start + length:
            return kind, offset - start
    raise AssertionError(f"the structures leave a gap at {offset:#x} of BAR {STRUCTURE_BAR}")
